import { readFieldLines } from "./field-lines.ts";

const MAX_SIZE_LINE_BYTES = 256;
const MAX_TRAILER_BYTES = 16 * 1024;
const MAX_TRAILERS = 1000;
const SIZE_LINE = /^([0-9A-Fa-f]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const CR = 0x0d;
const LF = 0x0a;

/** Takes chunked transfer coding apart (RFC 9112, 7.1), strictly. */
export class ChunkDecoder {
  readonly #onData: (data: Buffer) => void;
  #state: "size" | "data" | "data-end" | "trailers" | "done" = "size";
  #left = 0;
  #line = "";
  #trailers: readonly string[] = [];

  constructor(onData: (data: Buffer) => void) {
    this.#onData = onData;
  }

  get trailers(): readonly string[] {
    return this.#trailers;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Takes bytes from `at` on; returns where it stopped, or -1 when they are no chunks. */
  push(bytes: Buffer, from: number): number {
    let at = from;
    while (at >= 0 && at < bytes.length && this.#state !== "done") at = this.#step(bytes, at);
    return at;
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "size":
        return this.#readSize(bytes, at);
      case "data": {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0) this.#state = "data-end";
        this.#onData(bytes.subarray(at, end));
        return end;
      }
      case "data-end": {
        const wanted = this.#line === "" ? CR : LF;
        if (bytes[at] !== wanted) return -1;
        this.#line = wanted === CR ? "\r" : "";
        if (wanted === LF) this.#state = "size";
        return at + 1;
      }
      default:
        return this.#readTrailers(bytes, at);
    }
  }

  #readSize(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    this.#line += bytes.toString("latin1", at, end < 0 ? Math.min(bytes.length, at + MAX_SIZE_LINE_BYTES + 1) : end);
    if (this.#line.length > MAX_SIZE_LINE_BYTES) return -1;
    if (end < 0) return bytes.length;
    const match = this.#line.endsWith("\r") ? SIZE_LINE.exec(this.#line.slice(0, -1)) : null;
    if (!match) return -1;
    this.#line = "";
    this.#left = Number.parseInt(match[1] ?? "", 16);
    this.#state = this.#left === 0 ? "trailers" : "data";
    return end + 1;
  }

  /** Up to the empty line. */
  #readTrailers(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    const stop = end < 0 ? bytes.length : end + 1;
    if (this.#line.length + stop - at > MAX_TRAILER_BYTES) return -1;
    this.#line += bytes.toString("latin1", at, stop);
    if (this.#line !== "\r\n" && !this.#line.endsWith("\r\n\r\n")) return stop;
    if (this.#line !== "\r\n") {
      const trailers: string[] = [];
      if (!readFieldLines(this.#line.slice(0, -4), 0, trailers) || trailers.length > 2 * MAX_TRAILERS) return -1;
      this.#trailers = trailers;
    }
    this.#state = "done";
    return stop;
  }
}
