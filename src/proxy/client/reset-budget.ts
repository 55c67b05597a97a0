const BURST = 200;
const PER_SECOND = 50;

/** Streams that may end early on one connection: clients that change their mind do not come near it. */
export class ResetBudget {
  #left = BURST;
  #at = performance.now();

  /** False when there is none left. */
  spend(): boolean {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * PER_SECOND) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}
