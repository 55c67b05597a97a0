import { expect, test } from "vitest";
import { summarize } from "./quantiles.ts";

test("quantiles are samples of the given ones, by nearest rank, whatever their order", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) + 1);
  expect(summarize(hundred)).toEqual({ n: 100, p50: 50, p90: 90, p99: 99, min: 1, max: 100 });
  expect(summarize([3])).toEqual({ n: 1, p50: 3, p90: 3, p99: 3, min: 3, max: 3 });
});
