import { randomBytes } from "node:crypto";
import { setsCookie, withoutCookie } from "./browser/browser-cookie.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { OutgoingFields } from "./http/outgoing-fields.ts";
import { REQUEST_ID } from "./http/request-id.ts";
import type { RequestHead } from "./request-head.ts";

const CONNECTION = "connection";
const PROXY_PREFIX = "x-aws-proxy-";

/** Fields of one connection, not of the message (RFC 9110, 7.6.1); framing is written anew on each side. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that may not come after the body: they say how to read or route it (RFC 9110, 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "trailer",
  "authorization",
  "set-cookie",
  REQUEST_ID,
]);

/** Methods whose requests have no body unless they say so. */
const BODYLESS_METHODS = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/** The header fields the application gets besides the request's id, in the order and spelling of the client (contract 6.1). */
export function requestFields(client: ClientExchange, head: RequestHead): OutgoingFields {
  const { rawHeaders, upgrade } = client;
  const dropped = connectionOptions(rawHeaders);
  const kept: string[] = [];
  let wantsTrailers = false;
  let hasLength = false;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === "te") wantsTrailers ||= /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value);
    if (HOP_BY_HOP.has(lower) || lower.startsWith(PROXY_PREFIX) || lower === REQUEST_ID) continue;
    if (lower === "sec-websocket-protocol" || dropped?.has(lower) === true) continue;
    hasLength ||= lower === "content-length";
    const shown = lower === "cookie" ? withoutCookie(value) : value;
    if (shown !== undefined) kept.push(name, shown);
  }
  if (head.subprotocols.application.length > 0)
    kept.push("Sec-WebSocket-Protocol", head.subprotocols.application.join(", "));
  if (head.body === "chunked") kept.push("Transfer-Encoding", "chunked");
  else if (!hasLength && !BODYLESS_METHODS.has(client.method)) kept.push("Content-Length", "0");
  if (wantsTrailers) kept.push("TE", "trailers");
  if (upgrade === undefined) kept.push("Connection", "keep-alive");
  else {
    kept.push("Connection", "Upgrade", "Upgrade", upgrade);
    // HTTP/2 does without the key that HTTP/1.1 has to prove that a server knows WebSocket (RFC 8441, 5).
    if (client.version === "2") kept.push("Sec-WebSocket-Key", randomBytes(16).toString("base64"));
  }
  return new OutgoingFields(kept);
}

/** The header fields the client gets besides the request's id. */
export function answerFields(rawHeaders: readonly string[]): string[] {
  const dropped = connectionOptions(rawHeaders);
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || lower === REQUEST_ID || dropped?.has(lower) === true) continue;
    if (lower === "set-cookie" && setsCookie(value)) continue;
    kept.push(name, value);
  }
  return kept;
}

/** Trailer fields, without those that would change how the message is read. */
export function trailerFields(rawTrailers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawTrailers.length; i += 2) {
    const name = rawTrailers[i] ?? "";
    const lower = name.toLowerCase();
    if (!NOT_IN_TRAILERS.has(lower) && !lower.startsWith(PROXY_PREFIX)) kept.push(name, rawTrailers[i + 1] ?? "");
  }
  return kept;
}

/** Further names that the Connection fields declare to be of this connection only. */
function connectionOptions(rawHeaders: readonly string[]): Set<string> | undefined {
  let names: Set<string> | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    if (name.length !== CONNECTION.length || value === "keep-alive" || name.toLowerCase() !== CONNECTION) continue;
    names ??= new Set();
    for (const option of value.split(",")) names.add(option.trim().toLowerCase());
  }
  names?.delete("content-length"); // an application may not make us forget where its answer ends
  return names;
}
