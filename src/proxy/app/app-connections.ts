import type { Duplex } from "node:stream";
import type { RelayRefusal } from "../../guest-link/guest-link.ts";
import type { AppConnection, AppFailure } from "../app-request.ts";
import { H1AppConnection } from "./h1-app-connection.ts";
import { H2AppSession } from "./h2-app-session.ts";
import { secureToApp } from "./tls-to-app.ts";
import type { TlsPorts } from "./tls-ports.ts";

/** As many as may well be in use at once; one that is closed and opened again costs more than a request. */
const MAX_IDLE_CONNECTIONS = 512;
/** A look at idle connections, while there are any. */
const SWEEP_MS = 5000;
/** An application that closes connections without a word is asked for TLS only now and then. */
const DOUBT_AGAIN_MS = 30_000;

export type Relay = (port: number) => Promise<Duplex | RelayRefusal>;

export interface Wish {
  readonly port: number;
  /** HTTP/2 without TLS, as the client asked for; with TLS, HTTP/2 and nothing else. */
  readonly isH2Forced: boolean;
  /** A connection that leaves HTTP, so one of its own and HTTP/1.1. */
  readonly isUpgrade: boolean;
  /** An idle connection that waited longer may be closing right now. */
  readonly freshMs: number;
  readonly serverName: string | undefined;
}

interface ConnectionsOptions {
  readonly microvmId: string;
  readonly relay: Relay;
  readonly tlsPorts: TlsPorts;
}

/** The connections into one microVM, for one of its lives. */
export class AppConnections {
  readonly #options: ConnectionsOptions;
  /** By port; the last one used is taken first, so that few stay warm. */
  readonly #idle = new Map<number, H1AppConnection[]>();
  readonly #open = new Set<H1AppConnection>();
  readonly #sessions = new Map<number, H2AppSession[]>();
  /** Ports taken to speak plain HTTP, and until when: for this life, once one has answered so. */
  readonly #plain = new Map<number, number>();
  #idleCount = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** A connection that is open already. */
  take({ port, isH2Forced, isUpgrade, freshMs }: Wish): AppConnection | undefined {
    if (isUpgrade) return undefined;
    const session = this.#sessions.size > 0 ? this.#sessionOf(port, isH2Forced) : undefined;
    if (session !== undefined || isH2Forced) return session;
    const idle = this.#idle.get(port);
    if (idle === undefined) return undefined;
    const now = performance.now();
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      this.#idleCount--;
      if (connection.isUsable(now, freshMs)) return connection;
      connection.destroy();
    }
    return undefined;
  }

  async open(wish: Wish): Promise<AppConnection | AppFailure> {
    const { microvmId, tlsPorts } = this.#options;
    if (tlsPorts.has(microvmId, wish.port)) {
      const secure = await this.#openTls(wish);
      if (!("failed" in secure)) return secure;
      if (secure.failed === "refused") return secure;
      tlsPorts.delete(microvmId, wish.port); // the application changed its mind
    }
    const stream = await this.#options.relay(wish.port);
    if ("refused" in stream) return { failed: "refused", refusal: stream };
    if (!wish.isH2Forced || wish.isUpgrade) return this.#adopt(stream, wish.port);
    const session = await H2AppSession.open(stream, "http");
    return session ? this.#keep(session, wish.port) : { failed: "nonsense" };
  }

  /** Finds out whether a port that gave no plain answer speaks TLS. */
  async speaksTls(wish: Wish): Promise<boolean> {
    const connection = await this.#openTls(wish);
    if ("failed" in connection) {
      this.#plain.set(wish.port, performance.now() + DOUBT_AGAIN_MS);
      return false;
    }
    this.dropIdle(wish.port);
    connection.discard();
    return true;
  }

  /** A connection with TLS; "nonsense" is what an application answers that speaks none. */
  async #openTls(wish: Wish): Promise<AppConnection | AppFailure> {
    const stream = await this.#options.relay(wish.port);
    if ("refused" in stream) return { failed: "refused", refusal: stream };
    const protocols = protocolsOf(wish);
    const socket = await secureToApp(stream, { serverName: wish.serverName, protocols });
    if (socket === undefined) return { failed: "nonsense" };
    this.#options.tlsPorts.add(this.#options.microvmId, wish.port);
    if (socket.alpnProtocol !== "h2") {
      if (!wish.isH2Forced) return this.#adopt(socket, wish.port);
      socket.destroy();
      return { failed: "nonsense" };
    }
    const session = await H2AppSession.open(socket, "https");
    return session ? this.#keep(session, wish.port) : { failed: "nonsense" };
  }

  /** Whether it is known what the port speaks. */
  isKnown(port: number): boolean {
    return (
      (this.#plain.get(port) ?? 0) > performance.now() || this.#options.tlsPorts.has(this.#options.microvmId, port)
    );
  }

  /** The port has answered as plain HTTP does. */
  isPlain(port: number): void {
    this.#plain.set(port, Number.POSITIVE_INFINITY);
  }

  /** Closes idle connections of a port: one turned out dead, so its like may be. */
  dropIdle(port: number): void {
    for (const connection of this.#idle.get(port)?.splice(0) ?? []) {
      this.#idleCount--;
      connection.destroy();
    }
  }

  release(connection: H1AppConnection): void {
    if (this.#idleCount >= MAX_IDLE_CONNECTIONS) return connection.destroy();
    const idle = this.#idle.get(connection.port);
    if (idle === undefined) this.#idle.set(connection.port, [connection]);
    else idle.push(connection);
    this.#idleCount++;
    this.#sweeper ??= setInterval(this.#sweep, SWEEP_MS).unref();
  }

  remove(connection: H1AppConnection): void {
    if (!this.#open.delete(connection)) return;
    const idle = this.#idle.get(connection.port);
    const at = idle?.indexOf(connection) ?? -1;
    if (at < 0) return;
    idle?.splice(at, 1);
    this.#idleCount--;
  }

  end(): void {
    clearInterval(this.#sweeper);
    for (const connection of this.#open) connection.stream.destroy();
    for (const session of [...this.#sessions.values()].flat()) session.destroy();
    this.#sessions.clear();
  }

  #adopt(stream: Duplex, port: number): H1AppConnection {
    const connection = new H1AppConnection(stream, port, this);
    this.#open.add(connection);
    return connection;
  }

  #keep(session: H2AppSession, port: number): H2AppSession {
    const sessions = this.#sessions.get(port) ?? [];
    this.#sessions.set(port, sessions);
    sessions.push(session);
    session.onClose(() => {
      sessions.splice(sessions.indexOf(session), 1);
      if (sessions.length === 0) this.#sessions.delete(port);
    });
    return session;
  }

  /** HTTP/2 without TLS is only for those who ask for it. */
  #sessionOf(port: number, isH2Forced: boolean): H2AppSession | undefined {
    const isFit = ({ scheme, isUsable, hasRoom }: H2AppSession): boolean =>
      isUsable && hasRoom && (isH2Forced || scheme === "https");
    return this.#sessions.get(port)?.find(isFit);
  }

  readonly #sweep = (): void => {
    const now = performance.now();
    for (const connections of this.#idle.values())
      for (const connection of [...connections])
        if (!connection.isUsable(now, Number.POSITIVE_INFINITY)) connection.destroy();
    if (this.#idleCount > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  };
}

function protocolsOf({ isUpgrade, isH2Forced }: Wish): readonly ("h2" | "http/1.1")[] {
  if (isUpgrade) return ["http/1.1"];
  return isH2Forced ? ["h2"] : ["h2", "http/1.1"];
}
