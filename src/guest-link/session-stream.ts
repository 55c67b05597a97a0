import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { MAX_SESSION_FRAME_BYTES } from "../model/guest.ts";
import type { GuestSession, TerminalSize } from "./guest-link.ts";
import { SessionFrameParser } from "./session-frames.ts";

/** Events held for a reader who is late; the socket's own buffer comes on top. */
const MAX_EVENTS_AHEAD = 2;
/** Input bytes held for a program that is late. */
const MAX_INPUT_AHEAD = 64 * 1024;

/** A session on the connection that the agent has said "ok" on. */
export class SessionStream extends Duplex implements GuestSession {
  readonly #socket: Socket;
  readonly #parser = new SessionFrameParser();
  #hasEnded = false;

  constructor(socket: Socket) {
    super({
      readableObjectMode: true,
      readableHighWaterMark: MAX_EVENTS_AHEAD,
      writableHighWaterMark: MAX_INPUT_AHEAD,
    });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#end());
    // A machine that goes away, or a wake that resets old connections, ends a session without an exit.
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
    socket.pause();
  }

  resize({ columns, rows }: TerminalSize): void {
    if (!this.#hasEnded) this.#socket.write(`resize ${columns} ${rows}\n`);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#hasEnded) return done(); // the program is gone; that it reads no more is no fault
    for (let at = 0; at < chunk.length; at += MAX_SESSION_FRAME_BYTES) {
      const part = chunk.subarray(at, at + MAX_SESSION_FRAME_BYTES);
      this.#socket.write(`in ${part.length}\n`);
      this.#socket.write(part);
    }
    // An empty write is told when all before it has left.
    this.#socket.write("", () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#hasEnded) this.#socket.write("eof\n");
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#hasEnded = true;
    this.#socket.destroy();
    done(error);
  }

  #onData(chunk: Buffer): void {
    if (this.#hasEnded) return;
    try {
      for (const event of this.#parser.push(chunk)) {
        const hasRoom = this.push(event);
        if (event.kind === "exited") return this.#end();
        if (!hasRoom) this.#socket.pause();
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#socket.destroy();
    this.push(null);
  }
}
