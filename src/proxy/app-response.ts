import type { IncomingMessage, ServerResponse } from "node:http";
import type { Exchange, Route } from "./exchange.ts";
import { responseHeaders, trailerFields } from "./forwarded-headers.ts";
import type { RelayRefusal } from "../guest-link/guest-link.ts";
import { RelayRefusedError } from "./relay-refused-error.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Streams the application's response to the client; false when its head cannot be sent on. An answer that breaks off
 * cuts the client's connection: ending it well would pass a torn body as whole.
 */
export function sendAppResponse(exchange: Exchange, answer: IncomingMessage, { activity }: Route): boolean {
  const { response, requestId } = exchange;
  try {
    response.writeHead(
      answer.statusCode ?? 0,
      answer.statusMessage ?? "",
      responseHeaders(answer.rawHeaders, requestId),
    );
  } catch {
    return false;
  }
  const cut = (): void => void response.destroy();
  answer.once("error", cut);
  answer.once("aborted", cut);
  flushHeadSoon(response, answer);
  answer.pipe(response, { end: false });
  activity.watch(answer);
  answer.once("end", () => {
    const trailers = trailerFields(answer.rawTrailers);
    if (trailers.length > 0 && response.chunkedEncoding) response.addTrailers(trailers);
    response.end();
  });
  return true;
}

/** A head without a body yet (server-sent events) must not wait for one; with one, both leave in one packet. */
function flushHeadSoon(response: ServerResponse, answer: IncomingMessage): void {
  let hasBody = false;
  const seen = (): void => void (hasBody = true);
  answer.once("data", seen);
  answer.once("end", seen);
  setImmediate(() => {
    if (!hasBody && !response.destroyed) response.flushHeaders();
  });
}

/** What a client is told when the application's connection failed before any answer. */
export function refusalOfError(error: Error, port: number): Refusal {
  return error instanceof RelayRefusedError ? refusalOfRelay(error, port) : { refused: "bad-response" };
}

export function refusalOfRelay({ refused }: Pick<RelayRefusal, "refused">, port: number): Refusal {
  return refused === "port-closed" ? { refused, port } : { refused: "microvm-unreachable" };
}
