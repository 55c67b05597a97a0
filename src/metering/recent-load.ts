import type { Priority } from "../engine/engine.ts";

/** A burst of a second or two, such as a request or a start, is nobody's surplus. */
const MEMORY_SECONDS = 4;
/** Beneath this part of its baseline one that was in surplus has come back; between, it stays what it is. */
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
    if (this.#load > 1) this.#priority = "surplus";
    else if (this.#load < BACK_BELOW) this.#priority = "baseline";
  }
}
