import { Agent, type ClientRequest, type ClientRequestArgs } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { RelayRefusal } from "../guest-link/guest-link.ts";
import { RelayRefusedError } from "./relay-refused-error.ts";

/** Idle connections to the application live this long at most, or as its Keep-Alive header says. */
const MAX_IDLE_MS = 30_000;
const MAX_IDLE_CONNECTIONS = 64;

export type Relay = (port: number) => Promise<Duplex | RelayRefusal>;

type OnCreated = (error: Error | null, stream: Duplex) => void;

/** Keeps connections to the ports of one microVM, for one of its lives. */
export class RelayAgent extends Agent {
  readonly #relay: Relay;
  readonly #idleSince = new WeakMap<Duplex, number>();

  constructor(relay: Relay) {
    super({ keepAlive: true, timeout: MAX_IDLE_MS, maxFreeSockets: MAX_IDLE_CONNECTIONS, scheduling: "lifo" });
    this.#relay = relay;
  }

  override getName(options?: ClientRequestArgs): string {
    return String(options?.port);
  }

  override createConnection(options: ClientRequestArgs, created?: OnCreated): undefined {
    void this.#connect(Number(options.port), created);
  }

  async #connect(port: number, created?: OnCreated): Promise<void> {
    const result = await this.#relay(port).catch((cause: unknown) => ({
      refused: "guest-unreachable" as const,
      cause,
    }));
    if ("refused" in result) created?.(new RelayRefusedError(result), undefined as never);
    else created?.(null, result);
  }

  override keepSocketAlive(stream: Duplex): boolean {
    // Only real sockets have the idle time-out; unread bytes would be taken for the next request's answer.
    const mayStay =
      stream instanceof Socket && stream.readableLength === 0 && keepsAlive(super.keepSocketAlive(stream));
    if (!mayStay) return false;
    this.#idleSince.set(stream, performance.now());
    stream.on("data", destroySelf);
    stream.on("end", destroySelf);
    return true;
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    stream.off("data", destroySelf);
    stream.off("end", destroySelf);
    super.reuseSocket(stream, request);
  }

  /** Closes connections idle for longer: the application may be about to close them too. */
  dropIdle(port: number, maxIdleMs: number): void {
    const oldest = performance.now() - maxIdleMs;
    for (const socket of this.freeSockets[String(port)] ?? []) {
      if ((this.#idleSince.get(socket) ?? 0) < oldest) socket.destroy();
    }
  }
}

/**
 * Data that nobody asked for would answer the wrong request. An end is the application closing: relayed sockets are
 * half-open ones, which stay in the pool otherwise.
 */
function destroySelf(this: Duplex): void {
  this.destroy();
}

/** node returns false to close; its type says void. */
function keepsAlive(result: unknown): boolean {
  return result !== false;
}
