import { hasOption, readFieldLines } from "./field-lines.ts";
import { messageLength, type MessageLength } from "./message-length.ts";
import type { Refusal } from "./refusal.ts";

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const NONE: readonly string[] = [];

/** A request's head over HTTP/1.x, and how its connection goes on. */
export interface ClientHead {
  readonly method: string;
  readonly path: string;
  readonly version: "1.0" | "1.1";
  /** Name, value, name, value …: nothing merged, nothing dropped. */
  readonly rawHeaders: readonly string[];
  /** Of the body; 0 without one. */
  readonly length: MessageLength;
  readonly mayKeepAlive: boolean;
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean;
  /** The protocol the client wants to change to, where it may. */
  readonly upgrade: string | undefined;
}

/** Fields that decide how a request is read. */
interface Semantics {
  contentLength: readonly string[];
  transferEncoding: readonly string[];
  connection: string;
  upgrade: string;
  expect: string;
}

/** Reads a request's head, without its final empty line, after RFC 9112; nothing is guessed. */
export function parseClientHead(text: string): ClientHead | Refusal {
  const lineEnd = text.indexOf("\r\n");
  const match = REQUEST_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (!match) return malformed("not valid HTTP/1.1");
  const [, method = "", path = "", minor] = match;
  const rawHeaders: string[] = [];
  if (lineEnd >= 0 && !readFieldLines(text, lineEnd + 2, rawHeaders)) return malformed("not valid HTTP/1.1");
  const semantics = semanticsOf(rawHeaders);
  const length = messageLength(semantics.contentLength, semantics.transferEncoding) ?? 0;
  if (typeof length === "object") return malformed(length.why);
  const version = minor === "0" ? "1.0" : "1.1";
  if (length === "chunked" && version === "1.0") return malformed("HTTP/1.0 has no transfer encoding");
  const { connection, expect } = semantics;
  return {
    method,
    path,
    version,
    rawHeaders,
    length,
    mayKeepAlive: !hasOption(connection, "close") && (version === "1.1" || hasOption(connection, "keep-alive")),
    expectsContinue: version === "1.1" && expect.toLowerCase() === "100-continue",
    upgrade: method === "GET" && version === "1.1" && length === 0 ? upgradeOf(semantics) : undefined,
  };
}

function semanticsOf(rawHeaders: readonly string[]): Semantics {
  const found: Semantics = { contentLength: NONE, transferEncoding: NONE, connection: "", upgrade: "", expect: "" };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) note(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "", found);
  return found;
}

/** The names have lengths that few others have, which spares most fields the comparison. */
function note(name: string, value: string, found: Semantics): void {
  switch (name.length) {
    case 6:
      if (name.toLowerCase() === "expect") found.expect = value;
      break;
    case 7:
      if (name.toLowerCase() === "upgrade") found.upgrade += `${found.upgrade && ", "}${value}`;
      break;
    case 10:
      if (name.toLowerCase() === "connection") found.connection += `${found.connection && ","}${value}`;
      break;
    case 14:
      if (name.toLowerCase() === "content-length") found.contentLength = [...found.contentLength, value];
      break;
    case 17:
      if (name.toLowerCase() === "transfer-encoding") found.transferEncoding = [...found.transferEncoding, value];
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
