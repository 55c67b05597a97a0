import { PAGE_BYTES } from "./page-map.ts";

/**
 * A changed page as bytes: mostly a few cache lines of it differ from the template's page, since kernels and
 * interpreters touch counters and list heads all over their memory.
 */
export const PAGE_KIND = { zero: 0, full: 1, lines: 2 } as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

const LINE_WORDS = 16;
const LINE_BYTES = LINE_WORDS * 4;
const LINES = PAGE_BYTES / LINE_BYTES;
/** One bit per line. */
const MASK_BYTES = LINES / 8;
/** From this many changed lines on the whole page is kept: it saves little to leave the rest out. */
const MOST_LINES = 48;
const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

/** Most bytes that one page takes in a body. */
export const MAX_ENCODED_PAGE_BYTES = PAGE_BYTES;

/** The same memory as bytes and as words. */
export interface PageBuffer {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

export function pageBuffer(pages: number): PageBuffer {
  const memory = new ArrayBuffer(pages * PAGE_BYTES);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) };
}

export interface EncodedPage {
  readonly kind: PageKind;
  /** Bytes written to the body. */
  readonly bytes: number;
}

/** Page number `page` of both buffers. */
export interface PagePair {
  readonly now: PageBuffer;
  readonly base: PageBuffer;
  readonly page: number;
}

/** Writes what a page differs by from its base to `body` at `at`; undefined when they are equal. */
export function encodePage({ now, base, page }: PagePair, body: Buffer, at: number): EncodedPage | undefined {
  const [from, to] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
  if (now.bytes.compare(base.bytes, from, to, from, to) === 0) return undefined;
  if (now.bytes.compare(ZERO_PAGE, 0, PAGE_BYTES, from, to) === 0) return { kind: PAGE_KIND.zero, bytes: 0 };
  const mask = changedLines(now.words, base.words, from / 4);
  if (mask.count > MOST_LINES) {
    now.bytes.copy(body, at, from, to);
    return { kind: PAGE_KIND.full, bytes: PAGE_BYTES };
  }
  body.writeUInt32LE(mask.low, at);
  body.writeUInt32LE(mask.high, at + 4);
  let end = at + MASK_BYTES;
  for (let line = 0; line < LINES; line++) {
    if (!isSet(mask, line)) continue;
    end += now.bytes.copy(body, end, from + line * LINE_BYTES, from + (line + 1) * LINE_BYTES);
  }
  return { kind: PAGE_KIND.lines, bytes: end - at };
}

/** Puts a page together at `page` of `into`, which holds the template's page; returns the bytes taken from the body. */
export function decodePage(kind: PageKind, body: Buffer, at: number, into: { bytes: Buffer; page: number }): number {
  const start = into.page * PAGE_BYTES;
  switch (kind) {
    case PAGE_KIND.zero:
      into.bytes.fill(0, start, start + PAGE_BYTES);
      return 0;
    case PAGE_KIND.full:
      return body.copy(into.bytes, start, at, at + PAGE_BYTES);
    case PAGE_KIND.lines: {
      const mask = { low: body.readUInt32LE(at), high: body.readUInt32LE(at + 4) };
      let end = at + MASK_BYTES;
      for (let line = 0; line < LINES; line++) {
        if (isSet(mask, line)) end += body.copy(into.bytes, start + line * LINE_BYTES, end, end + LINE_BYTES);
      }
      return end - at;
    }
  }
}

function changedLines(now: Uint32Array, base: Uint32Array, start: number) {
  const mask = { low: 0, high: 0, count: 0 };
  for (let line = 0; line < LINES; line++) {
    const from = start + line * LINE_WORDS;
    for (let word = from; word < from + LINE_WORDS; word++) {
      if (now[word] === base[word]) continue;
      if (line < 32) mask.low = (mask.low | (1 << line)) >>> 0;
      else mask.high = (mask.high | (1 << (line - 32))) >>> 0;
      mask.count++;
      break;
    }
  }
  return mask;
}

function isSet(mask: { low: number; high: number }, line: number): boolean {
  return line < 32 ? ((mask.low >>> line) & 1) === 1 : ((mask.high >>> (line - 32)) & 1) === 1;
}
