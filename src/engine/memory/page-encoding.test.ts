import { randomFillSync } from "node:crypto";
import { expect, test } from "vitest";
import { decodePage, encodePage, MAX_ENCODED_PAGE_BYTES, PAGE_KIND, pageBuffer } from "./page-encoding.ts";
import { PAGE_BYTES } from "./page-map.ts";

/** A page of random bytes and a copy of it, both second in their buffers, and what encoding makes of a change to one. */
function usePages(change: (page: Buffer) => void) {
  const [now, base] = [pageBuffer(2), pageBuffer(2)];
  randomFillSync(base.bytes);
  base.bytes.copy(now.bytes);
  change(now.bytes.subarray(PAGE_BYTES));
  const body = Buffer.alloc(MAX_ENCODED_PAGE_BYTES + 8);
  return { now, base, body, encoded: encodePage({ now, base, page: 1 }, body, 8) };
}

function roundTrip(change: (page: Buffer) => void) {
  const { now, base, body, encoded } = usePages(change);
  if (encoded === undefined) throw new Error("the page counts as unchanged");
  expect(decodePage(encoded.kind, body, 8, { bytes: base.bytes, page: 1 })).toBe(encoded.bytes);
  expect(base.bytes.equals(now.bytes)).toBe(true);
  return encoded;
}

test("an unchanged page is left out", () => {
  expect(usePages(() => {}).encoded).toBeUndefined();
});

test("a page that became zero takes no bytes", () => {
  expect(roundTrip((page) => page.fill(0))).toEqual({ kind: PAGE_KIND.zero, bytes: 0 });
});

test("single bytes at the ends and around the middle come back, each at the price of its line", () => {
  for (const at of [0, 63, 64, 31 * 64 + 5, 32 * 64, 63 * 64, PAGE_BYTES - 1]) {
    const encoded = roundTrip((page) => page.writeUInt8(page.readUInt8(at) ^ 0xff, at));
    expect(encoded).toEqual({ kind: PAGE_KIND.lines, bytes: 8 + 64 });
  }
});

test("a page that differs almost everywhere is kept whole", () => {
  expect(roundTrip((page) => randomFillSync(page))).toEqual({ kind: PAGE_KIND.full, bytes: PAGE_BYTES });
});

test("any number of changed lines comes back", () => {
  for (let lines = 1; lines <= 64; lines++) {
    const encoded = roundTrip((page) => {
      for (let line = 0; line < lines; line++) {
        const at = ((line * 29) % 64) * 64 + line;
        page.writeUInt8(page.readUInt8(at) ^ 1, at);
      }
    });
    expect(encoded.bytes).toBeLessThanOrEqual(MAX_ENCODED_PAGE_BYTES);
  }
});
