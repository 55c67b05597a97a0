import { expect, test } from "vitest";
import { runSoak } from "../soak/soak.ts";

test("a short soak ends with everything agreed and nothing left", async () => {
  const report = await runSoak({ minutes: 0.2, seed: 4, microvms: 3, imageKeepers: 1, withIll: false });
  expect(report.operations).toMatchObject({ run: expect.any(Number) as number });
  expect(report.agreements).toBe(2);
});
