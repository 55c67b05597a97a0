/** Times when a fault may cut whatever is under way. */
export class Upheavals {
  /** Odd while one lasts. */
  #count = 0;

  /** To ask about later. */
  get mark(): number {
    return this.#count;
  }

  async during(work: () => Promise<void>): Promise<void> {
    this.#count++;
    await work().finally(() => this.#count++);
  }

  /** Whether there was one at any moment from the mark to now. */
  wasSince(mark: number): boolean {
    return mark % 2 === 1 || this.#count !== mark;
  }
}
