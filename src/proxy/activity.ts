import type { EndpointTarget } from "../lifecycle/microvm-service.ts";

/** An idle limit is at least a minute, so a report every now and then loses nothing. */
const MIN_INTERVAL_MS = 250;

/** Tells a microVM that bytes passed, at most a few times a second, and counts them. */
export class Activity {
  readonly #target: EndpointTarget;
  #last = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(target: EndpointTarget) {
    this.#target = target;
  }

  /** Body bytes so far, of both directions. */
  get bytes(): number {
    return this.#bytes;
  }

  report(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (now - this.#last < MIN_INTERVAL_MS) return;
    this.#last = now;
    this.#target.touch();
  }
}
