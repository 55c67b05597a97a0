import type { Readable } from "node:stream";
import type { EndpointTarget } from "../lifecycle/microvm-service.ts";

/** An idle limit is at least a minute, so a report every now and then loses nothing. */
const MIN_INTERVAL_MS = 250;

/** Tells a microVM that bytes passed, at most a few times a second per connection. */
export class Activity {
  readonly #target: EndpointTarget;
  #last = Number.NEGATIVE_INFINITY;

  constructor(target: EndpointTarget) {
    this.#target = target;
    this.report();
  }

  readonly report = (): void => {
    const now = performance.now();
    if (now - this.#last < MIN_INTERVAL_MS) return;
    this.#last = now;
    this.#target.touch();
  };

  /** Reports every chunk of a stream that already has a consumer; on its own it would start the flow. */
  watch(stream: Readable): void {
    stream.on("data", this.report);
  }
}
