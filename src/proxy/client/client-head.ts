import { hasOption, readFieldLines } from "../http/field-lines.ts";
import { noteFraming, type FramingFields } from "../http/framing-fields.ts";
import { messageLength, type MessageLength } from "../http/message-length.ts";
import type { Refusal } from "../refusal.ts";
import type { RequestHead } from "../request-head.ts";

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const NONE: readonly string[] = [];

/** The fields of a request's head, and what they say of how it is read and how its connection goes on. */
interface ClientFields {
  /** As they came. */
  readonly text: string;
  /** Name, value, name, value …: nothing merged, nothing dropped. */
  readonly rawHeaders: readonly string[];
  /** Of the body; 0 without one. */
  readonly length: MessageLength;
  readonly closes: boolean;
  readonly keepsAlive: boolean;
  readonly expectsContinue: boolean;
  /** The protocol to change to, if the request may. */
  readonly upgrade: string | undefined;
  /** What was read of them, kept as long as the connection repeats them. */
  head?: RequestHead | undefined;
}

/** A request's head over HTTP/1.x. */
export interface ClientHead {
  readonly method: string;
  readonly path: string;
  readonly version: "1.0" | "1.1";
  readonly fields: ClientFields;
  readonly mayKeepAlive: boolean;
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean;
  /** The protocol the client wants to change to, where it may. */
  readonly upgrade: string | undefined;
}

/** Fields that decide how a request is read. */
interface Semantics extends FramingFields {
  upgrade: string;
  expect: string;
}

/**
 * Reads a request's head, without its final empty line, after RFC 9112; nothing is guessed. Most clients send the same fields
 * with every request of a connection: those that equal the ones `before` to the byte are not read again.
 */
export function parseClientHead(text: string, before?: ClientHead): ClientHead | Refusal {
  const lineEnd = text.indexOf("\r\n");
  const match = REQUEST_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (!match) return malformed("not valid HTTP/1.1");
  const [, method = "", path = "", minor] = match;
  const fieldText = lineEnd < 0 ? "" : text.slice(lineEnd);
  const fields = before?.fields.text === fieldText ? before.fields : readFields(fieldText);
  if ("refused" in fields) return fields;
  const version = minor === "0" ? "1.0" : "1.1";
  const isNewest = version === "1.1";
  if (fields.length === "chunked" && !isNewest) return malformed("HTTP/1.0 has no transfer encoding");
  return {
    method,
    path,
    version,
    fields,
    mayKeepAlive: !fields.closes && (isNewest || fields.keepsAlive),
    expectsContinue: isNewest && fields.expectsContinue,
    upgrade: method === "GET" && isNewest && fields.length === 0 ? fields.upgrade : undefined,
  };
}

/** `text`: the line end before the first field line, and all lines. */
function readFields(text: string): ClientFields | Refusal {
  const rawHeaders: string[] = [];
  if (text !== "" && !readFieldLines(text, 2, rawHeaders)) return malformed("not valid HTTP/1.1");
  const semantics = semanticsOf(rawHeaders);
  const length = messageLength(semantics.contentLength, semantics.transferEncoding) ?? 0;
  if (typeof length === "object") return malformed(length.why);
  const { connection, expect } = semantics;
  return {
    text,
    rawHeaders,
    length,
    closes: hasOption(connection, "close"),
    keepsAlive: hasOption(connection, "keep-alive"),
    expectsContinue: expect.toLowerCase() === "100-continue",
    upgrade: upgradeOf(semantics),
  };
}

function semanticsOf(rawHeaders: readonly string[]): Semantics {
  const found: Semantics = { contentLength: NONE, transferEncoding: NONE, connection: "", upgrade: "", expect: "" };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) note(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "", found);
  return found;
}

function note(name: string, value: string, found: Semantics): void {
  switch (name.length) {
    case 6:
      if (name.toLowerCase() === "expect") found.expect = value;
      break;
    case 7:
      if (name.toLowerCase() === "upgrade") found.upgrade += `${found.upgrade && ", "}${value}`;
      break;
    default:
      noteFraming(name, value, found);
  }
}

/**
 * Only for a GET without a body: any other request with an Upgrade field is an ordinary one, as RFC 9110 (7.8) allows. One
 * with a body could hide a second request in it, and h2c would carry requests past the proxy unseen.
 */
function upgradeOf({ upgrade, connection }: Semantics): string | undefined {
  return upgrade === "" || /\bh2c?\b/i.test(upgrade) || !hasOption(connection, "upgrade") ? undefined : upgrade;
}

function malformed(why: string): Refusal {
  return { refused: "malformed", why };
}
