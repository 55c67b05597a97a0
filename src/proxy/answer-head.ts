import type { AnswerHead, Framing } from "./app-request.ts";

/** Header fields taken of one answer. */
const MAX_FIELDS = 1000;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters other than tab, carriage returns and line feeds that do not end a line together. */
// oxlint-disable-next-line no-control-regex -- finding them is the point
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?:^|[^\r])\n/;

export interface ParsedHead extends AnswerHead {
  /** Bytes of a sized body. */
  readonly length: number;
  readonly mayKeepAlive: boolean;
  /** The application's own idle limit, when it names one. */
  readonly keepAliveSeconds: number | undefined;
}

/** Fields that decide how an answer is read. */
interface Semantics {
  contentLength: string | undefined;
  transferEncoding: string | undefined;
  isRepeated: boolean;
  connection: string;
  keepAlive: string;
}

/**
 * Reads a response head, without its final empty line, after RFC 9112; undefined for whatever breaks its rules. It comes
 * from a guest, so nothing is guessed: an answer that two parsers could read in two ways is none.
 */
export function parseAnswerHead(text: string, method: string): ParsedHead | undefined {
  if (FORBIDDEN.test(text)) return undefined;
  let at = text.indexOf("\r\n");
  const match = STATUS_LINE.exec(at < 0 ? text : text.slice(0, at));
  if (!match) return undefined;
  const [, minor, code, reason = ""] = match;
  const rawHeaders: string[] = [];
  const semantics: Semantics = {
    contentLength: undefined,
    transferEncoding: undefined,
    isRepeated: false,
    connection: "",
    keepAlive: "",
  };
  while (at >= 0) {
    const start = at + 2;
    at = text.indexOf("\r\n", start);
    if (!readField(at < 0 ? text.slice(start) : text.slice(start, at), rawHeaders, semantics)) return undefined;
    if (rawHeaders.length > 2 * MAX_FIELDS) return undefined;
  }
  const status = Number(code);
  const framing = framingOf(semantics, { status, method, isHttp10: minor === "0" });
  if (framing === undefined) return undefined;
  return {
    status,
    reason,
    rawHeaders,
    framing,
    length: framing === "sized" ? Number(semantics.contentLength) : 0,
    mayKeepAlive:
      minor === "1" && framing !== "until-close" && !/(?:^|,)\s*close\s*(?:,|$)/i.test(semantics.connection),
    keepAliveSeconds: secondsOf(semantics.keepAlive),
  };
}

function readField(line: string, into: string[], semantics: Semantics): boolean {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon < 0 ? 0 : colon);
  if (!TOKEN.test(name)) return false;
  const value = trimBlanks(line, colon + 1);
  into.push(name, value);
  switch (name.length) {
    case 10: // the names below have lengths of their own, which spares most fields the comparison
      if (name.toLowerCase() === "connection") semantics.connection += `${semantics.connection && ","}${value}`;
      else if (name.toLowerCase() === "keep-alive") semantics.keepAlive = value;
      break;
    case 14:
      if (name.toLowerCase() !== "content-length") break;
      semantics.isRepeated ||= semantics.contentLength !== undefined;
      semantics.contentLength = value;
      break;
    case 17:
      if (name.toLowerCase() !== "transfer-encoding") break;
      semantics.isRepeated ||= semantics.transferEncoding !== undefined;
      semantics.transferEncoding = value;
  }
  return true;
}

/** RFC 9112, 6.3, with every doubtful case refused. */
function framingOf(
  { contentLength, transferEncoding, isRepeated }: Semantics,
  { status, method, isHttp10 }: { status: number; method: string; isHttp10: boolean },
): Framing | undefined {
  if (isRepeated || (contentLength !== undefined && !/^\d{1,15}$/.test(contentLength))) return undefined;
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined || isHttp10 || transferEncoding.toLowerCase() !== "chunked") return undefined;
  }
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return "none";
  if (transferEncoding !== undefined) return "chunked";
  if (contentLength === undefined) return "until-close";
  return Number(contentLength) === 0 ? "none" : "sized";
}

function secondsOf(keepAlive: string): number | undefined {
  const match = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(keepAlive);
  return match ? Number(match[1]) : undefined;
}

/** Reads trailer fields, each line ended; undefined when they break the rules. */
export function parseTrailers(text: string): string[] | undefined {
  if (text === "") return [];
  if (FORBIDDEN.test(text)) return undefined;
  const fields: string[] = [];
  const semantics: Semantics = {
    contentLength: undefined,
    transferEncoding: undefined,
    isRepeated: false,
    connection: "",
    keepAlive: "",
  };
  for (const line of text.split("\r\n")) if (!readField(line, fields, semantics)) return undefined;
  return fields.length > 2 * MAX_FIELDS ? undefined : fields;
}

function trimBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
