import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

test("lines come out whole however the bytes were cut", () => {
  const text = fc.array(fc.constantFrom("a", "ü", "語", " ", "\n"), { maxLength: 60 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat(80), { maxLength: 6 }), (whole, cuts) => {
      const bytes = Buffer.from(whole);
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      const splitter = new LineSplitter();
      const lines = at.slice(1).flatMap((end, index) => splitter.push(bytes.subarray(at[index], end)));
      expect([...lines, ...splitter.end()].join("\n")).toBe(whole.endsWith("\n") ? whole.slice(0, -1) : whole);
    }),
  );
});

test("a line without end is cut", () => {
  const splitter = new LineSplitter();
  for (let round = 0; round < 10; round++) splitter.push(Buffer.alloc(10_000, "x"));
  expect(splitter.end()[0]?.length).toBeLessThan(10_000);
});
