import { AppError } from "../errors/app-error.ts";
import { MAX_LINE_BYTES, MAX_OUTPUT_FRAME_BYTES } from "../model/guest.ts";
import type { GuestEvent } from "./guest-link.ts";

const LINE_FEED = 0x0a;
const OUTPUT = /^(out|err) (\d{1,16}) (\d{1,6})$/;
const DROPPED = /^dropped (\d{1,16})$/;
const EXITED = /^exited (\d{1,3})$/;

/**
 * Parses the agent's event stream piece by piece; throws ERR_GUEST_PROTOCOL for bytes that are no frame. Holds one frame
 * at most.
 */
export class EventFrameParser {
  #pending: Buffer = Buffer.alloc(0);

  /** The events that these bytes complete. */
  *push(chunk: Buffer): Generator<GuestEvent> {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (let event = this.#next(); event !== undefined; event = this.#next()) yield event;
  }

  #next(): GuestEvent | undefined {
    const lineEnd = this.#pending.subarray(0, MAX_LINE_BYTES).indexOf(LINE_FEED);
    if (lineEnd < 0) {
      if (this.#pending.length >= MAX_LINE_BYTES) throw notAFrame(this.#pending);
      return undefined;
    }
    const line = this.#pending.toString("latin1", 0, lineEnd);
    const output = OUTPUT.exec(line);
    if (output !== null) return this.#takeOutput(output, lineEnd + 1);
    const event = parseMark(line);
    if (event === undefined) throw notAFrame(this.#pending);
    this.#pending = this.#pending.subarray(lineEnd + 1);
    return event;
  }

  #takeOutput([, stream, offset, length]: RegExpExecArray, start: number): GuestEvent | undefined {
    const end = start + Number(length);
    if (Number(length) > MAX_OUTPUT_FRAME_BYTES || !Number.isSafeInteger(Number(offset)))
      throw notAFrame(this.#pending);
    if (this.#pending.length < end) return undefined;
    const bytes = this.#pending.subarray(start, end);
    this.#pending = this.#pending.subarray(end);
    return { kind: "output", offset: Number(offset), stream: stream === "out" ? "stdout" : "stderr", bytes };
  }
}

function parseMark(line: string): GuestEvent | undefined {
  const dropped = DROPPED.exec(line);
  if (dropped !== null && Number.isSafeInteger(Number(dropped[1])))
    return { kind: "dropped", bytes: Number(dropped[1]) };
  const exited = EXITED.exec(line);
  if (exited !== null && Number(exited[1]) <= 255) return { kind: "exited", code: Number(exited[1]) };
  return undefined;
}

function notAFrame(bytes: Buffer): AppError {
  const shown = JSON.stringify(bytes.toString("latin1", 0, 60));
  return new AppError("ERR_GUEST_PROTOCOL", {
    message: `The guest agent's event stream holds bytes that are no frame: ${shown}`,
  });
}
