import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";

const KEPT_LINES = 50;

/** What a build says, line by line as it happens; kept beside the image also when the build fails. */
export class BuildLog {
  readonly #stream: WriteStream;
  readonly #lastLines: string[] = [];

  readonly #onLine: ((line: string) => void) | undefined;

  constructor(file: string, onLine?: (line: string) => void) {
    this.#onLine = onLine;
    this.#stream = createWriteStream(file, { flags: "a", mode: 0o600 });
    this.#stream.on("error", () => {}); // a full disk fails the build elsewhere, with its reason
  }

  line(text: string): void {
    this.#lastLines.push(text);
    if (this.#lastLines.length > KEPT_LINES) this.#lastLines.shift();
    this.#onLine?.(text);
    this.#stream.write(`${new Date().toISOString()} ${text}\n`);
  }

  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  async close(): Promise<void> {
    if (this.#stream.closed) return;
    this.#stream.end();
    await once(this.#stream, "close").catch(() => {}); // a log that cannot be written must not hide why the build failed
  }
}
