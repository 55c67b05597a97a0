import type { Priority } from "../engine/engine.ts";

/** A burst of a second, such as a request or a start, is nobody's surplus. */
const MEMORY_SECONDS = 2.5;
/**
 * Parts of the baseline. Who takes nearly all of it without a pause wants more than it gets where processors are short, and
 * would delay everybody who only wants an answer now and then. Beneath the lower part it is served as before, so that
 * much is guaranteed to all; between, it stays what it is.
 */
const SURPLUS_ABOVE = 0.85;
const BACK_BELOW = 0.75;

/** How much of its baseline a microVM took of the processors lately: an average that forgets. */
export class RecentLoad {
  #load = 0;
  #priority: Priority = "baseline";
  #vcpus = 0;

  /** Of the last reading. */
  get vcpus(): number {
    return this.#vcpus;
  }

  get priority(): Priority {
    return this.#priority;
  }

  /** All in vCPUs and seconds. */
  note({ used, baseline, seconds }: { used: number; baseline: number; seconds: number }): void {
    if (seconds <= 0) return;
    this.#vcpus = used / seconds;
    this.#load += (this.#vcpus / baseline - this.#load) * (1 - Math.exp(-seconds / MEMORY_SECONDS));
    if (this.#load > SURPLUS_ABOVE) this.#priority = "surplus";
    else if (this.#load < BACK_BELOW) this.#priority = "baseline";
  }
}
