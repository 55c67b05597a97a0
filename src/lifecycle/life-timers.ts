import { Deadline } from "./deadline.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { IdlePolicy } from "./microvm-service.ts";

export interface TimerEvents {
  /** The maximum duration, counted through sleep, has passed. */
  readonly onLifetimeOver: () => void;
  readonly onIdle: () => void;
  /** Asleep for as long as the idle policy allows. */
  readonly onSleptOut: () => void;
  readonly onDozeOver: () => void;
}

/** When things happen to a microVM by themselves (contract 4.2). */
export class LifeTimers {
  readonly idle: IdleWatch;
  readonly #policy: IdlePolicy | undefined;
  readonly #lifetime: Deadline;
  readonly #asleep: Deadline;
  readonly #doze: Deadline;

  constructor(policy: IdlePolicy | undefined, events: TimerEvents) {
    this.#policy = policy;
    this.idle = new IdleWatch({
      limitMs: policy && policy.maxIdleDurationSeconds * 1000,
      onIdle: events.onIdle,
    });
    this.#lifetime = new Deadline(events.onLifetimeOver);
    this.#asleep = new Deadline(events.onSleptOut);
    this.#doze = new Deadline(events.onDozeOver);
  }

  /** Epoch milliseconds. */
  endAt(time: number): void {
    this.#lifetime.set(time);
  }

  /** Asleep since `since` (epoch milliseconds). A server that went down put it to sleep itself: that time is not counted. */
  sleep(since: number, isParked: boolean): void {
    const limit = this.#policy?.suspendedDurationSeconds;
    this.#asleep.set(limit === undefined || isParked ? undefined : since + limit * 1000);
  }

  /** Undefined: no process is left to doze. */
  doze(forMs: number | undefined): void {
    this.#doze.set(forMs === undefined ? undefined : Date.now() + forMs);
  }

  wake(): void {
    this.#asleep.set(undefined);
    this.#doze.set(undefined);
  }

  stop(): void {
    this.idle.stop();
    this.wake();
    this.#lifetime.set(undefined);
  }
}
