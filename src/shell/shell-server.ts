import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import type { Log } from "../observability/log.ts";
import { ShellConnection } from "./connection.ts";
import { keepAlive } from "./keep-alive.ts";
import { EXEC_SUBPROTOCOL, serveExec } from "./serve-exec.ts";
import { serveShell } from "./serve-shell.ts";
import type { ShellTarget } from "./shell-target.ts";

/** Longest message of a client: a large paste. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Silence after which the kernel asks whether the client's host is still there. */
const TCP_PROBE_MS = 30_000;
/** What a client that authenticates by subprotocol offers, and must be answered with (contract 6.4). */
const MARKER_SUBPROTOCOL = "lambda-microvms";

export interface ShellUpgrade {
  readonly request: IncomingMessage;
  /** The client's connection, on which nothing has been answered. */
  readonly socket: Socket;
  /** What the client sent after its request. */
  readonly early: Buffer;
  readonly requestId: string;
}

/** Shells over WebSocket (contract 7). Whoever calls has checked the token and has the microVM running. */
export class ShellServer {
  readonly #log: Log;
  readonly #connections = new Set<ShellConnection>();
  readonly #handshakes = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: chooseSubprotocol,
  });
  readonly #requestIds = new WeakMap<IncomingMessage, string>();

  constructor({ log }: { readonly log: Log }) {
    this.#log = log;
    this.#handshakes.on("headers", (headers, request) =>
      headers.push(`x-amzn-requestid: ${this.#requestIds.get(request) ?? ""}`),
    );
    this.#handshakes.on("wsClientError", (_error, socket, request) => {
      const id = this.#requestIds.get(request) ?? "";
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\nx-amzn-requestid: ${id}\r\n\r\n`,
      );
    });
  }

  /** Answers the handshake and serves the client until it or its program ends. Takes the connection over; never throws. */
  accept({ request, socket, early, requestId }: ShellUpgrade, target: ShellTarget): void {
    this.#requestIds.set(request, requestId);
    socket.setKeepAlive(true, TCP_PROBE_MS);
    this.#handshakes.handleUpgrade(request, socket, early, (client) => this.#serve(client, target));
  }

  /** Ends every session. */
  close(): void {
    for (const connection of this.#connections) connection.close("serverDown");
  }

  #serve(client: WebSocket, target: ShellTarget): void {
    const connection = new ShellConnection(client, target, this.#log);
    this.#connections.add(connection);
    client.once("close", () => this.#connections.delete(connection));
    keepAlive(client);
    target.touch();
    const served = client.protocol === EXEC_SUBPROTOCOL ? serveExec(connection) : serveShell(connection);
    served.catch((cause: unknown) => connection.failed(cause));
  }
}

function chooseSubprotocol(offered: Set<string>): string | false {
  for (const known of [EXEC_SUBPROTOCOL, MARKER_SUBPROTOCOL]) if (offered.has(known)) return known;
  return false;
}
