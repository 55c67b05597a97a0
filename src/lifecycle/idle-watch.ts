import { Deadline } from "./deadline.ts";

export interface IdleWatchOptions {
  /** Undefined: never idle. */
  readonly limitMs: number | undefined;
  readonly onIdle: () => void;
  /** Milliseconds of a clock that never jumps; it may stand still while the host sleeps. */
  readonly now?: () => number;
}

/**
 * Notices that no bytes passed for so long. Measured on the monotonic clock: a wall clock set forward must not put a
 * busy microVM to sleep.
 */
export class IdleWatch {
  readonly #limitMs: number | undefined;
  readonly #onIdle: () => void;
  readonly #now: () => number;
  readonly #deadline: Deadline;
  #last = 0;

  constructor({ limitMs, onIdle, now = () => performance.now() }: IdleWatchOptions) {
    this.#limitMs = limitMs;
    this.#onIdle = onIdle;
    this.#now = now;
    this.#deadline = new Deadline(() => this.#check(), now);
  }

  start(): void {
    this.touch();
    this.goOn();
  }

  /** Looks again when it would be idle by what is known now. */
  goOn(): void {
    if (this.#limitMs !== undefined) this.#deadline.set(this.#last + this.#limitMs);
  }

  touch(): void {
    this.#last = this.#now();
  }

  stop(): void {
    this.#deadline.set(undefined);
  }

  get isIdle(): boolean {
    return this.#limitMs !== undefined && this.#now() - this.#last >= this.#limitMs;
  }

  #check(): void {
    if (this.isIdle) this.#onIdle();
    else this.goOn();
  }
}
