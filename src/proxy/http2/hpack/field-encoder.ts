import { staticIndexOf, staticIndexOfStatus } from "./static-table.ts";

const STATUS_INDEX = 8;

/** Asks a client to forget what it was never told to remember: due once when it shrinks its table (RFC 7541, 4.2). */
export const EMPTY_TABLE = "\x20";

/*
 * Fields are written out as they are, a character for each byte, and only the names that everybody knows as a number. So a
 * block depends on no connection: what an application repeats is encoded once, for all clients.
 */

/** Name, value, name, value …; names in lower case, as HTTP/2 has them. */
export function encodeFields(fields: readonly string[]): string {
  const parts: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2)
    parts.push(encodeName(fields[i]?.toLowerCase() ?? ""), text(fields[i + 1] ?? ""));
  return parts.join("");
}

/** Encodes a field that is sent often with many values. */
export function fieldEncoder(name: string): (value: string) => string {
  const encoded = encodeName(name);
  return (value) => encoded + text(value);
}

export function encodeStatus(status: number): string {
  const index = staticIndexOfStatus(status);
  return index > 0 ? integer(7, 0x80, index) : integer(4, 0, STATUS_INDEX) + text(String(status));
}

function encodeName(name: string): string {
  const index = staticIndexOf(name);
  return index === 0 ? `\0${text(name)}` : integer(4, 0, index);
}

function text(characters: string): string {
  return integer(7, 0, characters.length) + characters;
}

function integer(prefixBits: number, firstBits: number, value: number): string {
  const most = 2 ** prefixBits - 1;
  if (value < most) return String.fromCharCode(firstBits | value);
  let bytes = String.fromCharCode(firstBits | most);
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes += String.fromCharCode((rest % 128) | 0x80);
  return bytes + String.fromCharCode(rest);
}
