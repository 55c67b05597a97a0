/**
 * Brings what was written to the disk, many writers at a time: who asks while a flush runs is served by the next one,
 * which begins after everything they wrote.
 */
export class GroupFlush {
  readonly #flush: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** `flush` returns when all that was written before it began is on disk. */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /**
   * Resolves when all that was written before this call is on disk. Rejects when the disk failed, then and ever after: a
   * kernel that could not write a page forgets it, and its next flush would succeed without it.
   */
  wait(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  async #after(running: Promise<void>): Promise<void> {
    await running;
    this.#running = this.#next as Promise<void>;
    this.#next = undefined;
    await this.#flush();
  }
}
