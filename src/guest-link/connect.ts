import { connect, type Socket } from "node:net";
import { AppError } from "../errors/app-error.ts";
import type { GuestAddress } from "./guest-link.ts";
import type { Patience } from "./read-line.ts";

/**
 * A first SYN is lost while the guest's network is not up, and its repetition comes a second later. So attempts start
 * shortly after each other and the first to succeed wins; the earlier ones are kept, because a guest that is merely
 * slow answers those first.
 */
const NEXT_ATTEMPT_AFTER_MS = [100, 150, 250, 500] as const;
const SLOWEST_ATTEMPT_MS = 1000;
/** Pause after a refusal: the guest is up but its agent is not listening yet. */
const REFUSED_PAUSE_MS = 20;
const MAX_ATTEMPTS_AT_ONCE = 4;

/** Connects to the agent; ERR_GUEST_UNREACHABLE when that takes longer than `timeoutMs`, ERR_CANCELLED on abort. */
export function connectToGuest(address: GuestAddress, patience: Patience): Promise<Socket> {
  return new Promise((resolve, reject) => new ConnectRace(address, patience, { resolve, reject }).start());
}

interface Outcome {
  readonly resolve: (socket: Socket) => void;
  readonly reject: (error: AppError) => void;
}

class ConnectRace {
  readonly #address: GuestAddress;
  readonly #patience: Patience;
  readonly #outcome: Outcome;
  /** Open attempts, oldest first, each with its error listener. */
  readonly #attempts = new Map<Socket, (fault: Error) => void>();
  #started = 0;
  #lastFault: Error | undefined;
  #next: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(address: GuestAddress, patience: Patience, outcome: Outcome) {
    this.#address = address;
    this.#patience = patience;
    this.#outcome = outcome;
  }

  start(): void {
    const { signal, timeoutMs } = this.#patience;
    if (signal?.aborted) return this.#onAbort();
    signal?.addEventListener("abort", this.#onAbort);
    this.#deadline = setTimeout(this.#onDeadline, timeoutMs);
    this.#attempt();
  }

  readonly #attempt = (): void => {
    const socket = connect({ ...this.#address, allowHalfOpen: true, noDelay: true });
    if (this.#attempts.size === MAX_ATTEMPTS_AT_ONCE) this.#dropOldest();
    const onError = (fault: Error): void => this.#lose(socket, fault);
    this.#attempts.set(socket, onError);
    socket.once("connect", () => this.#win(socket)).on("error", onError);
    this.#schedule(NEXT_ATTEMPT_AFTER_MS[this.#started++] ?? SLOWEST_ATTEMPT_MS);
  };

  #schedule(delayMs: number): void {
    clearTimeout(this.#next);
    this.#next = setTimeout(this.#attempt, delayMs);
  }

  #dropOldest(): void {
    const [oldest] = this.#attempts.keys();
    if (oldest === undefined) return;
    this.#attempts.delete(oldest);
    oldest.destroy();
  }

  #win(socket: Socket): void {
    const onError = this.#attempts.get(socket);
    if (onError === undefined) return;
    socket.off("error", onError);
    this.#attempts.delete(socket);
    this.#settle();
    this.#outcome.resolve(socket);
  }

  #lose(socket: Socket, fault: Error): void {
    if (!this.#attempts.delete(socket)) return;
    this.#lastFault = fault;
    // A refusal comes back at once, so waiting longer only helps the attempts that are still open.
    if (this.#attempts.size === 0) this.#schedule(REFUSED_PAUSE_MS);
  }

  readonly #onDeadline = (): void => {
    this.#settle();
    const { host, port } = this.#address;
    const message = `No guest agent answered at ${host}:${port} within ${this.#patience.timeoutMs} ms`;
    this.#outcome.reject(new AppError("ERR_GUEST_UNREACHABLE", { message, cause: this.#lastFault }));
  };

  readonly #onAbort = (): void => {
    this.#settle();
    this.#outcome.reject(new AppError("ERR_CANCELLED", { cause: this.#patience.signal?.reason }));
  };

  #settle(): void {
    clearTimeout(this.#next);
    clearTimeout(this.#deadline);
    this.#patience.signal?.removeEventListener("abort", this.#onAbort);
    for (const socket of this.#attempts.keys()) socket.destroy();
    this.#attempts.clear();
  }
}
