import { createField, type Field } from "./field.ts";

/** The fields that both sides know from the start, the first of them with index 1 (RFC 7541, appendix A). */
const ENTRIES: readonly (readonly [name: string, value?: string])[] = [
  [":authority"],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
];

export const STATIC_TABLE: readonly Field[] = ENTRIES.map(([name, value = ""]) => createField(name, value));

const INDEX_OF_NAME = new Map<string, number>();
for (const [index, { name }] of STATIC_TABLE.entries())
  if (!INDEX_OF_NAME.has(name)) INDEX_OF_NAME.set(name, index + 1);

/** The first index of a name; 0 when it has none. */
export function staticIndexOf(name: string): number {
  return INDEX_OF_NAME.get(name) ?? 0;
}

const FIRST_STATUS = 8;
const STATUSES = new Map(STATIC_TABLE.slice(7, 14).map(({ value }, at) => [Number(value), FIRST_STATUS + at]));

/** The index of a whole `:status` field; 0 when it has none. */
export function staticIndexOfStatus(status: number): number {
  return STATUSES.get(status) ?? 0;
}
