/** Largest Unicode code point. */
const LAST = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;

/**
 * The first text that sorts after every text beginning with `prefix`, in code point order, which is also the byte order
 * of UTF-8 that the store sorts keys by. Undefined when nothing sorts after.
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (c) => c.codePointAt(0) ?? 0);
  while (points.length > 0) {
    const last = points.pop() ?? 0;
    if (last === LAST) continue;
    const next = last + 1 === FIRST_SURROGATE ? AFTER_SURROGATES : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}

/** The later of two texts in the order that the store sorts by; JavaScript's own order differs above U+FFFF. */
export function laterKey(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0 ? a : b;
}
