import { readCookie } from "./browser/browser-cookie.ts";
import { hostOfHeader } from "./endpoint-name.ts";
import { messageLength } from "./http/message-length.ts";
import { REQUEST_ID } from "./http/request-id.ts";
import { DEFAULT_PORT, parsePort } from "./port-scope.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { parseSubprotocols } from "./websocket-subprotocols.ts";

/** A request as it came from the wire, whatever the HTTP version. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  /** Name, value, name, value …: nothing merged, nothing dropped. */
  readonly rawHeaders: readonly string[];
  /** The TLS server name; undefined when the client sent none. */
  readonly serverName: string | undefined;
  readonly isUpgrade: boolean;
  /** HTTP/2 ends a request with its head, or it has a body of any length. */
  readonly h2Body?: "none" | "some";
}

const MAX_URL_CHARACTERS = 16_384;
/** Thousands of tiny fields are within the limit of bytes. */
const MAX_HEADER_FIELDS = 1000;
/** Names a Connection header may not declare hop-by-hop: dropping them would change where or how a message ends. */
const NEVER_HOP_BY_HOP = new Set(["host", "content-length", "transfer-encoding", REQUEST_ID]);

/** Checks a request's head, or says what is wrong with it. */
export function readRequestHead(request: RawRequest): RequestHead | Refusal {
  if (request.method === "CONNECT" || request.method === "TRACE") return { refused: "method-not-allowed" };
  if (!isOriginForm(request)) return malformed("the request target must be a path");
  if (request.rawHeaders.length > 2 * MAX_HEADER_FIELDS) return { refused: "header-too-large" };
  const headers = collect(request.rawHeaders);
  if ("refused" in headers) return headers;
  const host = single(headers.host);
  if (host === undefined) return malformed("exactly one Host header is needed");
  const body = bodyOf(headers, request.h2Body);
  if (typeof body === "object") return body;
  if (headers.isWebSocket && !request.isUpgrade)
    return malformed("a WebSocket handshake needs GET with Upgrade and Connection");
  const access = accessOf(headers, request.isUpgrade);
  if ("refused" in access) return access;
  const serverName = plainName(request.serverName);
  const name = host === serverName ? host : hostOfHeader(host);
  const isH2Forced = headers.forceH2.length === 1 && headers.forceH2[0]?.toLowerCase() === "true";
  return {
    method: request.method,
    token: access.token,
    isCookie: access.isCookie,
    port: access.port,
    namedPort: access.namedPort,
    subprotocols: access.subprotocols,
    body,
    isH2Forced,
    isOwnOrigin: !access.isCookie || comesFromItself(request, headers, host),
    host: name !== undefined && name === serverName ? name : undefined,
  };
}

interface CollectedHeaders {
  host: readonly string[];
  token: readonly string[];
  port: readonly string[];
  subprotocols: readonly string[];
  contentLength: readonly string[];
  transferEncoding: readonly string[];
  forceH2: readonly string[];
  cookie: readonly string[];
  origin: readonly string[];
  fetchSite: readonly string[];
  fetchTarget: readonly string[];
  isWebSocket: boolean;
}

/** Where the values of a field go. */
const LISTS: ReadonlyMap<string, Exclude<keyof CollectedHeaders, "isWebSocket">> = new Map([
  ["host", "host"],
  ["x-aws-proxy-auth", "token"],
  ["x-aws-proxy-port", "port"],
  ["x-aws-proxy-force-h2", "forceH2"],
  ["cookie", "cookie"],
  ["origin", "origin"],
  ["sec-fetch-site", "fetchSite"],
  ["sec-fetch-mode", "fetchTarget"],
  ["sec-fetch-dest", "fetchTarget"],
  ["sec-websocket-protocol", "subprotocols"],
  ["content-length", "contentLength"],
  ["transfer-encoding", "transferEncoding"],
]);

/** Most requests have few of them. */
const NONE: readonly string[] = [];

function collect(rawHeaders: readonly string[]): CollectedHeaders | Refusal {
  const found: CollectedHeaders = {
    host: NONE,
    token: NONE,
    port: NONE,
    subprotocols: NONE,
    contentLength: NONE,
    transferEncoding: NONE,
    forceH2: NONE,
    cookie: NONE,
    origin: NONE,
    fetchSite: NONE,
    fetchTarget: NONE,
    isWebSocket: false,
  };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const list = LISTS.get(name);
    if (list !== undefined) found[list] = [...found[list], value];
    else if (name === "sec-websocket-key") found.isWebSocket = true;
    else if (
      name === "connection" &&
      value.split(",").some((option) => NEVER_HOP_BY_HOP.has(option.trim().toLowerCase()))
    )
      return malformed("the Connection header names a header that may not be dropped");
  }
  if (found.token.length > 1) return malformed("several X-aws-proxy-auth headers");
  if (found.port.length > 1) return malformed("several X-aws-proxy-port headers");
  return found;
}

/** HTTP/2 may say nothing of a body that follows. */
function bodyOf(
  { contentLength, transferEncoding }: CollectedHeaders,
  h2Body: RawRequest["h2Body"],
): RequestHead["body"] | Refusal {
  const length = messageLength(contentLength, transferEncoding);
  if (typeof length === "object") return malformed(length.why);
  if (length === 0 || h2Body === "none") return "none";
  if (length === undefined) return h2Body === undefined ? "none" : "chunked";
  return length === "chunked" ? "chunked" : "sized";
}

/** Token and port: the header wins over the subprotocol, then comes the default (contract 6.1, 6.4). */
function accessOf(
  headers: CollectedHeaders,
  isUpgrade: boolean,
): Pick<RequestHead, "token" | "isCookie" | "port" | "namedPort" | "subprotocols"> | Refusal {
  const subprotocols = parseSubprotocols(headers.subprotocols);
  if (subprotocols.tokens.length > 1) return malformed("several authentication subprotocols");
  if (subprotocols.ports.length > 1) return malformed("several port subprotocols");
  const usesSubprotocols = isUpgrade && subprotocols.tokens.length + subprotocols.ports.length > 0;
  if (usesSubprotocols && !subprotocols.hasMarker) return malformed("the subprotocol lambda-microvms is missing");
  const chosen = single(headers.port) ?? (isUpgrade ? subprotocols.ports[0] : undefined);
  const namedPort = chosen === undefined ? undefined : parsePort(chosen);
  if (chosen !== undefined && namedPort === undefined) return malformed("the port must be a number from 1 to 65535");
  const given = single(headers.token) ?? (isUpgrade ? subprotocols.tokens[0] : undefined);
  const cookie = given === undefined && headers.cookie.length > 0 ? readCookie(headers.cookie.join(";")) : undefined;
  const port = namedPort ?? DEFAULT_PORT;
  return { token: given ?? cookie, isCookie: cookie !== undefined, port, namedPort, subprotocols };
}

/**
 * Endpoints of other microVMs are the same site to a browser, so SameSite alone does not keep their pages from using
 * the cookie. Browsers say where a request comes from: WebSockets and everything that changes something name their
 * origin, and a visit is a navigation of the whole window.
 */
function comesFromItself(
  { method }: RawRequest,
  { origin, fetchSite, fetchTarget }: CollectedHeaders,
  host: string,
): boolean {
  if (origin.length > 0) return single(origin)?.toLowerCase() === `https://${host.toLowerCase()}`;
  if (fetchSite.length === 0) return true; // no browser of these years
  const site = single(fetchSite);
  if (site === "same-origin" || site === "none") return true;
  const isVisit = fetchTarget.includes("navigate") && fetchTarget.includes("document");
  return isVisit && (method === "GET" || method === "HEAD");
}

/** An absolute target could name another host than Host does, so only paths are taken. */
export function isOriginForm({ method, url }: Pick<RawRequest, "method" | "url">): boolean {
  if (url.length > MAX_URL_CHARACTERS) return false;
  return (url === "*" && method === "OPTIONS") || /^\/[\x21-\x7e\x80-\xff]*$/.test(url);
}

function plainName(name: string | undefined): string | undefined {
  const lower = name?.toLowerCase();
  return lower?.endsWith(".") === true ? lower.slice(0, -1) : lower;
}

function single(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined;
}

function malformed(why: string): Refusal {
  return { refused: "malformed", why };
}
