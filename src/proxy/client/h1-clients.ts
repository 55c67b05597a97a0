import type { TLSSocket } from "node:tls";
import { checkEvery, CLIENT_LIMITS, type ClientLimits } from "./client-limits.ts";
import { H1ClientConnection, type H1Keeper } from "./h1-client-connection.ts";
import type { H1ClientExchange } from "./h1-client-exchange.ts";

interface H1ClientsOptions {
  readonly serve: (exchange: H1ClientExchange) => void;
  readonly nextId: () => string;
  readonly limits?: ClientLimits | undefined;
}

/** Clients that speak HTTP/1.x; one timer for the deadlines of all. */
export class H1Clients implements H1Keeper {
  readonly limits: ClientLimits;
  readonly keepAliveLines: string;
  readonly serve: (exchange: H1ClientExchange) => void;
  readonly nextId: () => string;
  readonly #connections = new Set<H1ClientConnection>();
  readonly #switched = new Set<TLSSocket>();
  readonly #timer: NodeJS.Timeout;

  constructor({ serve, nextId, limits = CLIENT_LIMITS }: H1ClientsOptions) {
    this.serve = serve;
    this.nextId = nextId;
    this.limits = limits;
    this.keepAliveLines = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(limits.idleMs / 1000)}\r\n\r\n`;
    this.#timer = checkEvery(limits, this.#connections);
  }

  accept(socket: TLSSocket): void {
    this.#connections.add(new H1ClientConnection(socket, this));
  }

  remove(connection: H1ClientConnection): void {
    const { socket } = connection;
    this.#connections.delete(connection);
    if (socket.destroyed) return;
    this.#switched.add(socket);
    socket.once("close", () => this.#switched.delete(socket));
  }

  /** Ends connections as their answers are out. */
  close(): void {
    for (const connection of this.#connections) connection.retire();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const { socket } of this.#connections) socket.destroy();
    for (const socket of this.#switched) socket.destroy();
  }
}
