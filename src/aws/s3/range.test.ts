import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceFault } from "../../errors/service-fault.ts";
import { parseRange } from "./range.ts";

test.each([
  ["bytes=0-0", { start: 0, end: 0 }],
  ["bytes=5-", { start: 5, end: 9 }],
  ["bytes=-4", { start: 6, end: 9 }],
  ["bytes=-40", { start: 0, end: 9 }],
  ["bytes=9-99", { start: 9, end: 9 }],
  ["bytes=4-2", undefined],
  ["bytes=1-2,4-5", undefined],
  ["items=0-1", undefined],
  ["bytes=-", undefined],
])("of ten bytes, %s is %j", (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

test("a range past the end, or of nothing, cannot be answered", () => {
  for (const [header, size] of [
    ["bytes=10-", 10],
    ["bytes=-0", 10],
    ["bytes=0-", 0],
    ["bytes=-1", 0],
  ] as const) {
    expect(() => parseRange(header, size)).toThrow(ServiceFault);
  }
});

test("no header yields bytes outside the object", () => {
  const number = fc.oneof(fc.nat(30).map(String), fc.constant(""));
  fc.assert(
    fc.property(number, number, fc.nat(20), (first, last, size) => {
      let range;
      try {
        range = parseRange(`bytes=${first}-${last}`, size);
      } catch {
        return;
      }
      if (range) expect(range.start >= 0 && range.start <= range.end && range.end < size).toBe(true);
    }),
  );
});
