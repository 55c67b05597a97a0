import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";

/** What a build says, line by line as it happens; kept beside the image also when the build fails. */
export class BuildLog {
  readonly #stream: WriteStream;
  readonly #lastLines: string[] = [];
  #partial = "";

  constructor(file: string) {
    this.#stream = createWriteStream(file, { flags: "a", mode: 0o600 });
    this.#stream.on("error", () => {}); // a full disk fails the build elsewhere, with its reason
  }

  line(text: string): void {
    this.#lastLines.push(text);
    if (this.#lastLines.length > KEPT_LINES) this.#lastLines.shift();
    this.#stream.write(`${new Date().toISOString()} ${text}\n`);
  }

  /** Output in arbitrary pieces. */
  chunk(bytes: Buffer): void {
    const lines = (this.#partial + bytes.toString("utf8")).split(/\r?\n/);
    this.#partial = (lines.pop() ?? "").slice(-MAX_LINE_CHARACTERS);
    for (const text of lines) this.line(text.slice(0, MAX_LINE_CHARACTERS));
  }

  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  async close(): Promise<void> {
    if (this.#partial !== "") this.line(this.#partial);
    this.#partial = "";
    this.#stream.end();
    await once(this.#stream, "close");
  }
}

const KEPT_LINES = 50;
const MAX_LINE_CHARACTERS = 8192;
