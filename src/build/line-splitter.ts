import { StringDecoder } from "node:string_decoder";

/** A longer line is cut: one that never ends must not fill the memory. */
const MAX_LINE_CHARACTERS = 8192;

/** Turns output that arrives in arbitrary pieces into lines. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #partial = "";

  push(bytes: Buffer): string[] {
    const lines = (this.#partial + this.#decoder.write(bytes)).split(/\r?\n/);
    this.#partial = (lines.pop() ?? "").slice(-MAX_LINE_CHARACTERS);
    return lines.map((line) => line.slice(0, MAX_LINE_CHARACTERS));
  }

  /** What came after the last line feed, if anything. */
  end(): string[] {
    const rest = this.#partial + this.#decoder.end();
    this.#partial = "";
    return rest === "" ? [] : [rest];
  }
}
