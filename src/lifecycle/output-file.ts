import { open, rename, type FileHandle } from "node:fs/promises";

/** A file is turned over at this size, once: a flooding guest costs at most twice this on disk. */
const MAX_BYTES = 32 * 1024 * 1024;

/** A program's output on disk. A disk that takes no more costs output, of which the file then tells, and nothing else. */
export class OutputFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #size = 0;
  #lost = 0;

  constructor(path: string, maxBytes = MAX_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** Never throws. */
  async append(bytes: Buffer): Promise<void> {
    try {
      if (this.#lost > 0) await this.#note();
    } catch {
      this.#lost += bytes.length;
      return;
    }
    let written = 0;
    try {
      const file = await this.#open();
      while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
      this.#size += bytes.length;
      if (this.#size > this.#maxBytes) await this.#turnOver();
    } catch {
      this.#lost += bytes.length - written;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  async #note(): Promise<void> {
    const file = await this.#open();
    await file.write(`\n[${this.#lost} bytes of output could not be written to disk]\n`);
    this.#lost = 0;
  }

  async #open(): Promise<FileHandle> {
    if (this.#file === undefined) {
      this.#file = await open(this.#path, "a", 0o600);
      this.#size = (await this.#file.stat()).size;
    }
    return this.#file;
  }

  async #turnOver(): Promise<void> {
    await this.close();
    await rename(this.#path, `${this.#path}.1`);
  }
}
