import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import type { Throttle } from "./flow/throttle.ts";
import { youngBuffers } from "./flow/young-buffers.ts";

/** An idle limit is at least a minute, so a report every now and then loses nothing. */
const MIN_INTERVAL_MS = 250;

/** What passes in one exchange: told to its microVM, at most a few times a second, counted, and held to its bandwidth. */
export class Activity {
  readonly #target: EndpointTarget;
  readonly #throttle: Throttle | undefined;
  #last = Number.NEGATIVE_INFINITY;
  /** Body bytes from the client, and to it. */
  received = 0;
  sent = 0;

  constructor(target: EndpointTarget, throttle?: Throttle) {
    this.#target = target;
    this.#throttle = throttle;
    this.touch();
  }

  get isThrottled(): boolean {
    return this.#throttle !== undefined;
  }

  /** Returns the milliseconds to wait before more is taken from the client. */
  onReceived(bytes: number): number {
    this.received += bytes;
    return this.#onPassed(bytes);
  }

  /** Returns the milliseconds to wait before more is taken from the application. */
  onSent(bytes: number): number {
    this.sent += bytes;
    return this.#onPassed(bytes);
  }

  #onPassed(bytes: number): number {
    youngBuffers.note(bytes);
    this.touch();
    return this.#throttle?.take(bytes) ?? 0;
  }

  touch(): void {
    const now = performance.now();
    if (now - this.#last < MIN_INTERVAL_MS) return;
    this.#last = now;
    this.#target.touch();
  }
}
