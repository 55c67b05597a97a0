/** setTimeout's own limit; longer waits are taken in steps. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A timer for a moment of the wall clock, re-checked when it fires: clock jumps and suspended hosts only shift it. */
export class Deadline {
  readonly #onReached: () => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(onReached: () => void, now: () => number = Date.now) {
    this.#onReached = onReached;
    this.#now = now;
  }

  /** Epoch milliseconds; undefined clears it. */
  set(at: number | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === undefined) return;
    const delay = Math.min(Math.max(at - this.#now(), 0), MAX_DELAY_MS);
    this.#timer = setTimeout(() => (this.#now() >= at ? this.#onReached() : this.set(at)), delay);
    this.#timer.unref();
  }
}
