import { isFieldName, isFieldValue } from "../http/field-lines.ts";
import { messageLength } from "../http/message-length.ts";
import type { Field } from "../http2/hpack/field.ts";
import type { RequestHead } from "../request-head.ts";

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
const CAPITAL = /[A-Z]/;
const OUTER_BLANK = /^[\t ]|[\t ]$/;
const PSEUDO_NAMES = new Set([":method", ":scheme", ":authority", ":path", ":protocol"]);
/** Of HTTP/1.1 connections (RFC 9113, 8.2.2). */
const NEVER_SENT = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

/** The fields of a request but its path, and what they say. */
interface H2Fields {
  /** As they came. */
  readonly list: readonly Field[];
  /** Where the path is in it; -1 without one. */
  readonly pathAt: number;
  /** The request ends with them. */
  readonly isLast: boolean;
  readonly method: string;
  /** Of an extended CONNECT (RFC 8441). */
  readonly protocol: string | undefined;
  /** Name, value, name, value …, as HTTP/1.1 has them. */
  readonly rawHeaders: readonly string[];
  /** In bytes, where the fields say it. */
  readonly bodyLength: number | undefined;
  /** What was read of them, kept as long as the connection repeats them. */
  head?: RequestHead | undefined;
}

/** A request's head over HTTP/2. */
export interface H2RequestHead {
  readonly path: string;
  readonly fields: H2Fields;
}

/** The fields that say what a request is, and the others. */
interface SortedFields {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly pathAt: number;
  readonly rest: readonly string[];
  readonly cookies: readonly string[];
  readonly hosts: readonly string[];
  readonly lengths: readonly string[];
}

/**
 * Reads the fields of a request; undefined when they are none (RFC 9113, 8.1.1). Most clients send the same ones with every
 * request of a connection: those that equal the ones `before`, but for the path, are not read again.
 */
export function readH2Head(list: readonly Field[], isLast: boolean, before?: H2RequestHead): H2RequestHead | undefined {
  if (before !== undefined && repeats(list, isLast, before.fields)) {
    const path = list[before.fields.pathAt]?.value ?? "";
    if (path !== "") return { path, fields: before.fields };
  }
  const sorted = sortFields(list);
  if (sorted === undefined) return undefined;
  const { pseudo, pathAt, lengths } = sorted;
  const method = pseudo.get(":method") ?? "";
  const protocol = pseudo.get(":protocol");
  const host = hostOf(sorted);
  if (!isTarget(pseudo, method, protocol) || host === false) return undefined;
  const length = messageLength(lengths, []);
  if (typeof length === "object") return undefined;
  const bodyLength = typeof length === "number" ? length : undefined;
  if (isLast && bodyLength !== undefined && bodyLength > 0) return undefined;
  const fields = { list, pathAt, isLast, method, protocol, rawHeaders: rawHeadersOf(sorted, host), bodyLength };
  return { path: pseudo.get(":path") ?? "", fields };
}

/** The fields after a body; undefined when they are none. */
export function readH2Trailers(list: readonly Field[]): string[] | undefined {
  const trailers: string[] = [];
  for (const { name, value } of list) {
    if (!isField(name, value)) return undefined;
    trailers.push(name, value);
  }
  return trailers;
}

function repeats(list: readonly Field[], isLast: boolean, before: H2Fields): boolean {
  if (before.isLast !== isLast || before.pathAt < 0 || before.list.length !== list.length) return false;
  for (let i = 0; i < list.length; i++) {
    const field = list[i];
    const known = before.list[i];
    if (field === known) continue;
    if (field?.name !== known?.name || (field?.value !== known?.value && i !== before.pathAt)) return false;
  }
  return true;
}

/** Pseudo-header fields come first, once each (RFC 9113, 8.3). */
function sortFields(list: readonly Field[]): SortedFields | undefined {
  const pseudo = new Map<string, string>();
  let pathAt = -1;
  const rest: string[] = [];
  const cookies: string[] = [];
  const hosts: string[] = [];
  const lengths: string[] = [];
  for (const [at, { name, value }] of list.entries()) {
    if (name.startsWith(":")) {
      if (at !== pseudo.size || pseudo.has(name) || !PSEUDO_NAMES.has(name) || !isFieldValue(value)) return undefined;
      pseudo.set(name, value);
      if (name === ":path") pathAt = at;
      continue;
    }
    if (!isField(name, value)) return undefined;
    if (name === "cookie") cookies.push(value);
    else if (name === "host") hosts.push(value);
    else rest.push(name, value);
    if (name === "content-length") lengths.push(value);
  }
  return { pseudo, pathAt, rest, cookies, hosts, lengths };
}

function isField(name: string, value: string): boolean {
  if (!isFieldName(name) || CAPITAL.test(name) || !isFieldValue(value) || OUTER_BLANK.test(value)) return false;
  return !NEVER_SENT.has(name) && (name !== "te" || value === "trailers");
}

/** What a request of its method needs (RFC 9113, 8.3.1 and 8.5; RFC 8441, 4). */
function isTarget(pseudo: ReadonlyMap<string, string>, method: string, protocol: string | undefined): boolean {
  if (!METHOD.test(method) || (protocol !== undefined && (method !== "CONNECT" || !METHOD.test(protocol))))
    return false;
  const hasPath = (pseudo.get(":path") ?? "") !== "" && (pseudo.get(":scheme") ?? "") !== "";
  if (method !== "CONNECT" || protocol !== undefined) return hasPath;
  return pseudo.has(":authority") && !pseudo.has(":path") && !pseudo.has(":scheme");
}

/** False when it has several names: those would be as many opinions on where the request goes. */
function hostOf({ pseudo, hosts }: SortedFields): string | undefined | false {
  const host = pseudo.get(":authority") ?? hosts[0];
  return hosts.every((other) => other.toLowerCase() === host?.toLowerCase()) && host;
}

/** `:authority` becomes Host, and the pieces of Cookie one field (RFC 9113, 8.2.3, 8.3.1). */
function rawHeadersOf({ rest, cookies }: SortedFields, host: string | undefined): string[] {
  const rawHeaders = host === undefined ? [...rest] : ["host", host, ...rest];
  if (cookies.length > 0) rawHeaders.push("cookie", cookies.join("; "));
  return rawHeaders;
}
