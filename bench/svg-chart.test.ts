import { expect, test } from "vitest";
import { drawCharts } from "./svg-chart.ts";

const series = [
  {
    name: "a < b & c",
    points: [
      [1, 10],
      [100, 1000],
    ] as const,
  },
];

test("a chart names its series, escapes what is text, and places greater values higher and further right", () => {
  const svg = drawCharts([{ title: "t", x: "count", y: "ms", kind: "lines", series }]);
  expect(svg).toContain("a &lt; b &amp; c");
  const [x1, y1, x2, y2] = /<polyline points="([\d., ]+)"/.exec(svg)![1]!.split(/[ ,]/).map(Number);
  expect([x1, y1, x2, y2].every(Number.isFinite)).toBe(true);
  expect(x2).toBeGreaterThan(x1 ?? Infinity);
  expect(y2).toBeLessThan(y1 ?? -Infinity);
});

test("samples have no line and no number that is none, even when all are equal or zero", () => {
  const points = [
    [0, 0],
    [0, 5],
    [0, 5],
  ] as const;
  const svg = drawCharts([{ title: "t", x: "", y: "ms", kind: "samples", series: [{ name: "s", points }] }]);
  expect(svg).not.toContain("polyline");
  expect(svg).not.toMatch(/NaN|Infinity/);
});

test("an axis of values close to each other still has ticks around them", () => {
  const points = [
    [1, 3.3],
    [24, 2.7],
  ] as const;
  const svg = drawCharts([{ title: "t", x: "n", y: "1/s", kind: "lines", series: [{ name: "s", points }] }]);
  expect(svg).toContain(">2</text>");
  expect(svg).toContain(">5</text>");
});
