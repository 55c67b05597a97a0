import { AppError } from "../errors/app-error.ts";
import { MAX_SESSION_FRAME_BYTES } from "../model/guest.ts";
import type { SessionEvent } from "./guest-link.ts";

const LINE_FEED = 0x0a;
/** "exited 255" and "out 32768" are shorter. */
const MAX_FRAME_LINE_BYTES = 32;
const OUTPUT = /^(out|err) ([1-9]\d{0,5})$/;
const EXITED = /^exited (\d{1,3})$/;

/**
 * Parses what the agent sends in a session, piece by piece; throws ERR_GUEST_PROTOCOL for bytes that are no frame. Keeps
 * no more than one line: bytes of a program go on as they come.
 */
export class SessionFrameParser {
  #line = "";
  #stream: "stdout" | "stderr" = "stdout";
  #payloadLeft = 0;

  *push(chunk: Buffer): Generator<SessionEvent> {
    for (let rest = chunk; rest.length > 0;) {
      if (this.#payloadLeft > 0) {
        const bytes = rest.subarray(0, this.#payloadLeft);
        this.#payloadLeft -= bytes.length;
        rest = rest.subarray(bytes.length);
        yield { kind: "output", stream: this.#stream, bytes };
        continue;
      }
      const end = rest.indexOf(LINE_FEED);
      this.#line += rest.toString("latin1", 0, end < 0 ? rest.length : end);
      if (this.#line.length > MAX_FRAME_LINE_BYTES) throw notAFrame(this.#line);
      if (end < 0) return;
      rest = rest.subarray(end + 1);
      const code = this.#takeLine();
      if (code !== undefined) yield { kind: "exited", code };
    }
  }

  /** An exit code, or undefined after the head of an output frame. */
  #takeLine(): number | undefined {
    const line = this.#line;
    this.#line = "";
    const [, stream, length] = OUTPUT.exec(line) ?? [];
    if (stream !== undefined && Number(length) <= MAX_SESSION_FRAME_BYTES) {
      this.#stream = stream === "out" ? "stdout" : "stderr";
      this.#payloadLeft = Number(length);
      return undefined;
    }
    const code = Number(EXITED.exec(line)?.[1] ?? Number.NaN);
    if (code <= 255) return code;
    throw notAFrame(line);
  }
}

function notAFrame(line: string): AppError {
  const shown = JSON.stringify(line.slice(0, 60));
  return new AppError("ERR_GUEST_PROTOCOL", {
    message: `The guest agent sent bytes that are no session frame: ${shown}`,
  });
}
