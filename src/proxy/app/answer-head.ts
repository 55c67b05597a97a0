import type { AnswerHead, Framing } from "../app-request.ts";
import { hasOption, readFieldLines } from "../http/field-lines.ts";
import { noteFraming, type FramingFields } from "../http/framing-fields.ts";
import { messageLength, type MessageLength } from "../http/message-length.ts";

/** Header fields taken of one answer. */
const MAX_FIELDS = 1000;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const KEEP_ALIVE = "keep-alive";
const NONE: readonly string[] = [];

export interface ParsedHead extends AnswerHead {
  /** As it came, and the method of its request: both decide what it says. */
  readonly text: string;
  readonly method: string;
  /** Bytes of a sized body. */
  readonly length: number;
  readonly mayKeepAlive: boolean;
  /** The application's own idle limit, when it names one. */
  readonly keepAliveSeconds: number | undefined;
}

/** Fields that decide how an answer is read. */
interface Semantics extends FramingFields {
  keepAlive: string;
}

/**
 * Reads a response head, without its final empty line, after RFC 9112; undefined for whatever breaks its rules. It comes
 * from a guest, so nothing is guessed: an answer that two parsers could read in two ways is none. One that equals the one
 * `before` to the byte is not read again.
 */
export function parseAnswerHead(text: string, method: string, before?: ParsedHead): ParsedHead | undefined {
  if (before?.text === text && before.method === method) return before;
  const lineEnd = text.indexOf("\r\n");
  const match = STATUS_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (!match) return undefined;
  const [, minor, code, reason = ""] = match;
  const rawHeaders: string[] = [];
  if (lineEnd >= 0 && !readFieldLines(text, lineEnd + 2, rawHeaders)) return undefined;
  if (rawHeaders.length > 2 * MAX_FIELDS) return undefined;
  const semantics = semanticsOf(rawHeaders);
  const length = messageLength(semantics.contentLength, semantics.transferEncoding);
  if (typeof length === "object" || (length === "chunked" && minor === "0")) return undefined;
  const status = Number(code);
  const framing = framingOf(length, status, method);
  return {
    text,
    method,
    status,
    reason,
    rawHeaders,
    framing,
    length: framing === "sized" ? Number(length) : 0,
    mayKeepAlive: minor === "1" && framing !== "until-close" && !hasOption(semantics.connection, "close"),
    keepAliveSeconds: secondsOf(semantics.keepAlive),
  };
}

function semanticsOf(rawHeaders: readonly string[]): Semantics {
  const found: Semantics = { contentLength: NONE, transferEncoding: NONE, connection: "", keepAlive: "" };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) note(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "", found);
  return found;
}

function note(name: string, value: string, found: Semantics): void {
  if (name.length === KEEP_ALIVE.length && name.toLowerCase() === KEEP_ALIVE) found.keepAlive = value;
  else noteFraming(name, value, found);
}

/** How the end of an answer's body is known (RFC 9112, 6.3). */
function framingOf(length: MessageLength | undefined, status: number, method: string): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304 || length === 0) return "none";
  if (length === undefined) return "until-close";
  return length === "chunked" ? "chunked" : "sized";
}

function secondsOf(keepAlive: string): number | undefined {
  const match = keepAlive === "" ? null : /(?:^|[,\s])timeout=(\d{1,6})/i.exec(keepAlive);
  return match ? Number(match[1]) : undefined;
}
