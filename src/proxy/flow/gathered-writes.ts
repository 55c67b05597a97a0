import type { Writable } from "node:stream";

/** About a record of TLS; copying more together costs more than a second write. */
const MAX_GATHERED_BYTES = 16 * 1024;

/** Gathers what is written in one turn of the event loop into one write: one record of TLS, one system call. */
export class GatheredWrites {
  readonly #stream: Writable;
  readonly #beforeTurnEnd: (() => void) | undefined;
  #parts: (string | Buffer)[] = [];
  #bytes = 0;
  #isScheduled = false;

  /** `beforeTurnEnd` may add what has waited until then. */
  constructor(stream: Writable, beforeTurnEnd?: () => void) {
    this.#stream = stream;
    this.#beforeTurnEnd = beforeTurnEnd;
  }

  /** Bytes that have not left yet. */
  get length(): number {
    return this.#bytes + this.#stream.writableLength;
  }

  /** The receiver takes its time: "drain" follows. */
  get isFull(): boolean {
    return this.#stream.writableNeedDrain;
  }

  /** `part`: bytes, or a character for each. */
  add(part: string | Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes > MAX_GATHERED_BYTES) this.flush();
    else this.schedule();
  }

  /** Whatever there is by the end of this turn goes out then. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#onTurnEnd);
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const parts = this.#parts;
    const bytes = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) this.#stream.write(only, "latin1");
    else if (bytes <= MAX_GATHERED_BYTES) this.#stream.write(joined(parts, bytes));
    else this.#writeEach(parts);
  }

  readonly #onTurnEnd = (): void => {
    this.#beforeTurnEnd?.();
    this.#isScheduled = false;
    this.flush();
  };

  #writeEach(parts: readonly (string | Buffer)[]): void {
    this.#stream.cork();
    for (const part of parts) this.#stream.write(part, "latin1");
    this.#stream.uncork();
  }
}

function joined(parts: readonly (string | Buffer)[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const part of parts) at += typeof part === "string" ? whole.write(part, at, "latin1") : part.copy(whole, at);
  return whole;
}
