/** A moment is looked for again at least this often: a clock set forward, or a host that slept, is noticed by then. */
const MAX_STEP_MS = 60_000;

/** A timer for a moment of a clock, by default the wall clock. It fires once, never before its moment. */
export class Deadline {
  readonly #onReached: () => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(onReached: () => void, now: () => number = Date.now) {
    this.#onReached = onReached;
    this.#now = now;
  }

  /** Milliseconds of the clock; undefined clears it. */
  set(at: number | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === undefined) return;
    const delay = Math.min(Math.max(Math.ceil(at - this.#now()), 0), MAX_STEP_MS);
    this.#timer = setTimeout(() => (this.#now() >= at ? this.#onReached() : this.set(at)), delay);
    this.#timer.unref();
  }
}
