/** A longer line comes out in pieces: one that never ends must not fill the memory. */
const MAX_LINE_BYTES = 8192;

export interface LineSplitterOptions {
  readonly maxBytes?: number;
  /** What another one had left over. */
  readonly rest?: Uint8Array;
}

/** Turns output that arrives in arbitrary pieces into lines. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer;

  constructor({ maxBytes = MAX_LINE_BYTES, rest = new Uint8Array() }: LineSplitterOptions = {}) {
    this.#maxBytes = maxBytes;
    this.#rest = Buffer.from(rest);
  }

  /** Bytes after the last line feed. */
  get rest(): Buffer {
    return this.#rest;
  }

  push(bytes: Buffer): string[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const lines: string[] = [];
    let at = 0;
    for (let end = all.indexOf(0x0a); end !== -1; end = all.indexOf(0x0a, at)) {
      lines.push(...this.#pieces(all.subarray(at, end)));
      at = end + 1;
    }
    const left = all.subarray(at);
    const whole = left.length - (left.length % this.#maxBytes);
    if (whole > 0) lines.push(...this.#pieces(left.subarray(0, whole)));
    this.#rest = Buffer.from(left.subarray(whole));
    return lines;
  }

  /** What came after the last line feed, if anything. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : this.#pieces(rest);
  }

  #pieces(line: Buffer): string[] {
    const text = line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
    const pieces: string[] = [];
    for (let at = 0; at < text.length || at === 0; at += this.#maxBytes)
      pieces.push(text.toString("utf8", at, at + this.#maxBytes));
    return pieces;
  }
}
