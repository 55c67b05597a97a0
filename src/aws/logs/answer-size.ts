import { EVENT_OVERHEAD_BYTES } from "../../logs/log-tables.ts";

/** Of one answer's messages. */
const MAX_ANSWER_BYTES = 1_048_576;

/** As many of the rows, from their start or their end, as one answer may hold; at least one. */
export function fitting<T extends { readonly message: string }>(
  rows: readonly T[],
  { fromEnd = false }: { fromEnd?: boolean } = {},
): T[] {
  let bytes = 0;
  const ordered = fromEnd ? rows.toReversed() : rows;
  const tooMany = ordered.findIndex(({ message }, index) => {
    bytes += Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES;
    return bytes > MAX_ANSWER_BYTES && index > 0;
  });
  const kept = tooMany === -1 ? [...ordered] : ordered.slice(0, tooMany);
  return fromEnd ? kept.toReversed() : kept;
}
