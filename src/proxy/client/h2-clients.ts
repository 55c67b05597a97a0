import type { TLSSocket } from "node:tls";
import type { Log } from "../../observability/log.ts";
import { checkEvery, CLIENT_LIMITS, type ClientLimits } from "./client-limits.ts";
import { H2ClientConnection, type H2Keeper } from "./h2-client-connection.ts";
import type { H2ClientExchange } from "./h2-client-exchange.ts";

interface H2ClientsOptions {
  readonly serve: (exchange: H2ClientExchange) => void;
  readonly nextId: () => string;
  readonly limits?: ClientLimits | undefined;
  readonly log: Log;
}

/** Clients that speak HTTP/2; one timer for the deadlines of all. */
export class H2Clients implements H2Keeper {
  readonly limits: ClientLimits;
  readonly serve: (exchange: H2ClientExchange) => void;
  readonly nextId: () => string;
  readonly #log: Log;
  readonly #connections = new Set<H2ClientConnection>();
  readonly #timer: NodeJS.Timeout;

  constructor({ serve, nextId, limits = CLIENT_LIMITS, log }: H2ClientsOptions) {
    this.serve = serve;
    this.nextId = nextId;
    this.limits = limits;
    this.#log = log;
    this.#timer = checkEvery(limits, this.#connections);
  }

  accept(socket: TLSSocket): void {
    this.#connections.add(new H2ClientConnection(socket, this));
  }

  onError(code: number): void {
    this.#log.debug({ code }, "an HTTP/2 client broke the protocol");
  }

  remove(connection: H2ClientConnection): void {
    this.#connections.delete(connection);
  }

  /** Lets open streams end. */
  close(): void {
    for (const connection of this.#connections) connection.retire();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const { socket } of this.#connections) socket.destroy();
  }
}
