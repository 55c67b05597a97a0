import { expect, test } from "vitest";
import type { UsageReport } from "../../src/model/usage-report.ts";
import { signedCall } from "../support/signed-call.ts";
import { useSmallWorld } from "./small-world.ts";

const PRICES = '{"currency":"EUR","vcpuSecond":1,"memoryGbSecond":0,"storageGbHour":0}';
const reportOf = ({ answer }: { answer: unknown }) => (answer as { report: UsageReport }).report;

test("usage is told per microVM, per image and in total, priced by the table of the configuration", async () => {
  const { plane, call, becomes, microvmId, imageArn } = await useSmallWorld({ CATNAP_PRICES: PRICES });
  await call("TerminateMicrovm", { microvmIdentifier: microvmId });
  await becomes(microvmId, "TERMINATED");
  const report = reportOf(await signedCall(plane, "GET", "/catnap/usage"));
  expect(report).toMatchObject({
    currency: "EUR",
    prices: { "us-east-1": { vcpuSecond: 1 } },
    microvms: [{ microvmId, imageArn, imageVersion: "1.0", region: "us-east-1" }],
    images: [{ imageArn }],
    omittedMicrovms: 0,
  });
  const { usage, cost } = report.total;
  expect(usage.baselineVcpuSeconds).toBeGreaterThan(0);
  expect(cost.exact).toBeCloseTo(usage.baselineVcpuSeconds, 6);
  expect(report.images[0]?.cost).toEqual(cost);
});

test("a range that is none, and a caller without permission, are refused", async () => {
  const { plane, nobody } = await useSmallWorld();
  for (const range of ["from=yesterday", "from=2026-02-31T99:00:00Z", "from=2026-01-02&until=2026-01-01"]) {
    const { status, answer } = await signedCall(plane, "GET", `/catnap/usage?${range}`);
    expect([status, answer]).toEqual([400, { message: expect.stringMatching(/^(from|until) is/) }]);
  }
  const { status, answer } = await signedCall({ port: plane.port, key: nobody }, "GET", "/catnap/usage");
  expect([status, answer]).toEqual([
    403,
    expect.objectContaining({ message: expect.stringContaining("lambda:GetUsage") }),
  ]);
  const before = reportOf(await signedCall(plane, "GET", "/catnap/usage?until=2020-01-01"));
  expect(before).toMatchObject({ microvms: [], total: { cost: { total: 0 } } });
});
