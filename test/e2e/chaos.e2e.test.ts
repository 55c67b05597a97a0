import { expect, test } from "vitest";
import { runChaos } from "../chaos/chaos.ts";

test("nothing is lost and no count is wrong while servers and machines are killed", async () => {
  const seed = Date.now() % 1_000_000;
  // A wait for chance to strike would be a wait for nothing: with more cycles ./dev chaos does that.
  const report = await runChaos({ cycles: 20, seed, microvms: 3 }).catch((cause: unknown) => {
    throw new Error(`./dev chaos 20 --seed ${seed}: ${String(cause)}`, { cause });
  });
  expect(report.cycles).toBeGreaterThanOrEqual(20);
  expect(report.requests).toBeGreaterThan(20);
});
