/** How much of a second's bytes may pass at once. */
const BURST_SECONDS = 0.25;

/** A rate shared by everything that passes through it; too much is not refused but made to wait. */
export class Throttle {
  readonly #perSecond: number;
  #level: number;
  #at = performance.now();

  constructor(bytesPerSecond: number) {
    this.#perSecond = bytesPerSecond;
    this.#level = bytesPerSecond * BURST_SECONDS;
  }

  /** Milliseconds that whoever moved these bytes is to wait before it moves more. */
  take(bytes: number): number {
    const now = performance.now();
    const filled = this.#level + ((now - this.#at) / 1000) * this.#perSecond;
    this.#at = now;
    this.#level = Math.min(this.#perSecond * BURST_SECONDS, filled) - bytes;
    return this.#level < 0 ? (-this.#level / this.#perSecond) * 1000 : 0;
  }
}
