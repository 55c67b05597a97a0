import { createWriteStream, existsSync, openSync, renameSync, statSync, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";

export interface AuditLogOptions {
  readonly file: string;
  /** Above this size the file is turned over. */
  readonly maxBytes?: number;
  /** Old files kept beside the current one: FILE.1 is the newest. */
  readonly keep?: number;
  /** Told when the file cannot be written. */
  readonly onError: (cause: unknown) => void;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_KEEP = 5;
/** After a fault, such as a full disk, the file is tried again no sooner. */
const RETRY_MS = 10_000;

/** A file of JSON lines that only its owner may read, turned over by size. Never blocks or fails a call. */
export class AuditLog {
  readonly #options: Required<AuditLogOptions>;
  #stream: WriteStream | undefined;
  #bytes = 0;
  #retryAt = 0;

  constructor(options: AuditLogOptions) {
    this.#options = { maxBytes: DEFAULT_MAX_BYTES, keep: DEFAULT_KEEP, ...options };
  }

  record(entry: object): void {
    const line = `${JSON.stringify(entry)}\n`;
    try {
      const stream = this.#open();
      this.#bytes += Buffer.byteLength(line);
      stream?.write(line);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Everything recorded is in the file afterwards. */
  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    stream.end();
    await finished(stream).catch(() => {}); // told by its own error event
  }

  #open(): WriteStream | undefined {
    if (this.#stream && this.#bytes < this.#options.maxBytes) return this.#stream;
    if (Date.now() < this.#retryAt) return undefined;
    const { file, maxBytes } = this.#options;
    this.#stream?.end(); // what it holds still goes to the old file, whatever its name is by then
    this.#stream = undefined;
    this.#bytes ||= existsSync(file) ? statSync(file).size : 0;
    if (this.#bytes >= maxBytes) this.#turnOver();
    // opened at once, so that the next turnover finds the file under its name
    const fd = openSync(file, "a", 0o600);
    const stream = createWriteStream(file, { fd });
    stream.on("error", (cause) => {
      if (this.#stream === stream) this.#fail(cause);
    });
    this.#stream = stream;
    return stream;
  }

  #turnOver(): void {
    const { file, keep } = this.#options;
    for (let number = keep; number >= 1; number--) {
      const from = number === 1 ? file : `${file}.${number - 1}`;
      if (existsSync(from)) renameSync(from, `${file}.${number}`);
    }
    this.#bytes = 0;
  }

  #fail(cause: unknown): void {
    this.#stream = undefined;
    this.#retryAt = Date.now() + RETRY_MS;
    this.#options.onError(cause);
  }
}
