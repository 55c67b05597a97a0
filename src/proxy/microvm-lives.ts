import type { GuestLink } from "../guest-link/guest-link.ts";
import type { EndpointTarget, WakeRefusal } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import { MicrovmLife } from "./microvm-life.ts";
import type { Refusal } from "./refusal.ts";
import { TlsPorts } from "./app/tls-ports.ts";

/** Longest a request is held while its microVM wakes: a hook may take a minute of it, and its turn to start another. */
const WAKE_DEADLINE_MS = 120_000;
/** Requests held per microVM; each holds a connection and up to its read buffer. */
const MAX_WAITING = 1024;

export interface LivesOptions {
  readonly log: Log;
  readonly wakeDeadlineMs?: number;
  readonly maxWaiting?: number;
  /** Called when a microVM has woken, and when the proxy meets one that runs for the first time. */
  readonly onWake?: (microvmId: string) => void;
}

/** The running microVMs the proxy has connections to, and the requests that wait for others to wake. */
export class MicrovmLives {
  readonly #options: LivesOptions;
  readonly #lives = new Map<string, MicrovmLife>();
  readonly #tlsPorts = new TlsPorts();
  readonly #waiting = new Map<string, number>();

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  /** The life that runs now, if the proxy knows one: the path of every warm request. */
  current(target: EndpointTarget): MicrovmLife | undefined {
    return this.#lives.get(target.microvmId);
  }

  /** Wakes a microVM if it sleeps; `signal` aborts when the client goes away. */
  async reach(target: EndpointTarget, signal: AbortSignal): Promise<MicrovmLife | Refusal> {
    const id = target.microvmId;
    const waiting = this.#waiting.get(id) ?? 0;
    if (waiting >= (this.#options.maxWaiting ?? MAX_WAITING)) return { refused: "too-many-waiting" };
    this.#waiting.set(id, waiting + 1);
    try {
      const result = await this.#wake(target, signal);
      return "refused" in result ? result : this.#lifeOf(target, result);
    } finally {
      const left = (this.#waiting.get(id) ?? 1) - 1;
      if (left > 0) this.#waiting.set(id, left);
      else this.#waiting.delete(id);
    }
  }

  close(): void {
    for (const life of this.#lives.values()) life.end();
    this.#lives.clear();
  }

  async #wake(target: EndpointTarget, clientGone: AbortSignal): Promise<GuestLink | Refusal> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.#options.wakeDeadlineMs ?? WAKE_DEADLINE_MS);
    const signal = AbortSignal.any([clientGone, deadline.signal]);
    try {
      const result = await Promise.race([target.awake(signal), aborted(signal)]);
      return result && "refused" in result
        ? this.#refusalOf(target, result)
        : (result ?? this.#gaveUp(target, clientGone));
    } catch (cause) {
      if (signal.aborted) return this.#gaveUp(target, clientGone);
      return this.#refusalOf(target, { refused: "failed", cause });
    } finally {
      clearTimeout(timer);
    }
  }

  #gaveUp(target: EndpointTarget, clientGone: AbortSignal): Refusal {
    if (!clientGone.aborted)
      this.#options.log.warn({ microvmId: target.microvmId }, "a request waited too long for its microVM to wake");
    return { refused: "microvm-unreachable" };
  }

  #refusalOf(target: EndpointTarget, refusal: WakeRefusal): Refusal {
    if (refusal.refused === "asleep") return { refused: "asleep" };
    if (refusal.refused === "failed") {
      this.#options.log.warn(
        { microvmId: target.microvmId, err: refusal.cause },
        "a microVM did not wake for a request",
      );
    }
    return { refused: "microvm-unreachable" };
  }

  /** All who waited for the same wake share one life. */
  #lifeOf(target: EndpointTarget, link: GuestLink): MicrovmLife {
    const known = this.#lives.get(target.microvmId);
    if (known?.link === link) return known;
    known?.end();
    const life = new MicrovmLife(target, {
      link,
      tlsPorts: this.#tlsPorts,
      onEnd: (ended) => {
        if (this.#lives.get(target.microvmId) === ended) this.#lives.delete(target.microvmId);
      },
    });
    this.#lives.set(target.microvmId, life);
    this.#options.onWake?.(target.microvmId);
    return life;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
