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

test("a line without end comes out in pieces", () => {
  const splitter = new LineSplitter({ maxBytes: 1000 });
  const pieces = [splitter.push(Buffer.alloc(2500, "x")), splitter.push(Buffer.from("y\n")), splitter.end()];
  expect(pieces.map((lines) => lines.map((line) => line.length))).toEqual([[1000, 1000], [501], []]);
});

test("what is left over can be taken up by another", () => {
  const first = new LineSplitter();
  const whole = Buffer.from("one\r\ntü");
  expect(first.push(whole.subarray(0, -1))).toEqual(["one"]);
  const next = new LineSplitter({ rest: first.rest });
  expect(next.push(Buffer.concat([whole.subarray(-1), Buffer.from("r\n")]))).toEqual(["tür"]);
});
