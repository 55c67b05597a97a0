import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { RelayRefusal } from "../guest-link/guest-link.ts";
import { refusalOfError, refusalOfRelay, sendAppResponse } from "./app-response.ts";
import { MAX_RESPONSE_HEADER_BYTES, type Exchange, type Outcome, type Route } from "./exchange.ts";
import { hasHeader, rawResponseHead, requestHeaders, responseHeaders } from "./forwarded-headers.ts";
import { splice } from "./splice.ts";
import { MARKER_SUBPROTOCOL } from "./websocket-subprotocols.ts";

export interface UpgradeExchange extends Exchange {
  /** The client's connection; the response is attached to it until the protocol changes. */
  readonly socket: Socket;
  /** Bytes the client sent after its request; the application gets them only once it has agreed to the upgrade. */
  readonly early: Buffer;
}

/**
 * Forwards a protocol upgrade on a connection of its own. Whatever the new protocol is, both sides talk raw bytes once
 * the application has answered 101; any other answer is passed on and ends the connection.
 */
export async function forwardUpgrade(exchange: UpgradeExchange, route: Route): Promise<Outcome> {
  const stream = await connectApp(exchange.socket, route);
  if (stream === undefined) return "answered";
  if ("refused" in stream) return refusalOfRelay(stream, route.port);
  return await handshake(exchange, route, stream);
}

/** Undefined when the client went away meanwhile. */
async function connectApp(client: Socket, { life, port }: Route): Promise<Duplex | RelayRefusal | undefined> {
  const clientGone = new AbortController();
  const abort = (): void => clientGone.abort();
  client.once("close", abort);
  try {
    const stream = await life.relay(port, clientGone.signal);
    if ("refused" in stream) return stream;
    stream.on("error", () => stream.destroy()); // told by the request while it lives, by the splice later
    if (!clientGone.signal.aborted) return stream;
    stream.destroy();
    return undefined;
  } catch (error) {
    if (clientGone.signal.aborted) return undefined;
    throw error;
  } finally {
    client.off("close", abort);
  }
}

function handshake(exchange: UpgradeExchange, route: Route, stream: Duplex): Promise<Outcome> {
  const { request, response, head, requestId } = exchange;
  return new Promise((settle) => {
    const upstream = httpRequest({
      createConnection: () => stream,
      method: "GET",
      path: request.url,
      headers: [
        ...requestHeaders("GET", request.rawHeaders, head, requestId),
        "Connection",
        "Upgrade",
        "Upgrade",
        request.headers.upgrade ?? "",
      ],
      maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
      insecureHTTPParser: false,
    });
    upstream.maxHeadersCount = 0;
    let isAnswered = false;
    const onClientClose = (): void => {
      upstream.destroy();
      settle("answered");
    };
    exchange.socket.once("close", onClientClose);
    upstream.once("upgrade", (answer, app, appEarly) => {
      exchange.socket.off("close", onClientClose);
      switchProtocols({ exchange, route, answer, app, appEarly });
      settle("answered");
    });
    upstream.once("response", (answer) => {
      isAnswered = true;
      response.once("close", () => settle("answered"));
      if (!sendAppResponse(exchange, answer, route)) settle({ refused: "bad-response" });
    });
    upstream.on("error", (error) => {
      if (!isAnswered)
        settle(route.life.isDown ? { refused: "microvm-unreachable" } : refusalOfError(error, route.port));
    });
    upstream.once("close", () => {
      if (!isAnswered) settle({ refused: "bad-response" }); // without effect after anything above
    });
    upstream.end();
  });
}

interface Switch {
  readonly exchange: UpgradeExchange;
  readonly route: Route;
  readonly answer: IncomingMessage;
  readonly app: Duplex;
  readonly appEarly: Buffer;
}

function switchProtocols({ exchange, route, answer, app, appEarly }: Switch): void {
  const { socket, response, early } = exchange;
  response.detachSocket(socket);
  socket.write(rawResponseHead(101, switchHeaders(exchange, answer)), "latin1");
  if (appEarly.length > 0) socket.write(appEarly);
  if (early.length > 0) app.write(early);
  splice(socket, app, route.activity);
}

function switchHeaders({ head, requestId }: UpgradeExchange, answer: IncomingMessage): string[] {
  const headers = responseHeaders(answer.rawHeaders, requestId);
  headers.push("Connection", "Upgrade", "Upgrade", answer.headers.upgrade ?? "");
  // A browser fails a handshake that picks none of the subprotocols it offered (contract 6.4).
  const needsMarker = head.subprotocols.hasMarker && !hasHeader(answer.rawHeaders, "sec-websocket-protocol");
  if (needsMarker) headers.push("Sec-WebSocket-Protocol", MARKER_SUBPROTOCOL);
  return headers;
}
