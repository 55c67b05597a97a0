import { expect, test } from "vitest";
import { priceUsage } from "../model/price-usage.ts";
import { servicePrices } from "../model/prices.ts";
import type { UsageReport } from "../model/usage-report.ts";
import { NO_USAGE, type Usage } from "../model/usage.ts";
import { asCsv, asTable } from "./usage.ts";

const PRICES = servicePrices("eu-west-1");
const billed = (usage: Usage) => ({ usage, cost: priceUsage(usage, PRICES) });
const USED: Usage = {
  ...NO_USAGE,
  baselineVcpuSeconds: 8,
  aboveVcpuSeconds: 3,
  baselineGbSeconds: 16,
  aboveGbSeconds: 6,
};
const REPORT: UsageReport = {
  until: "2026-01-31T00:00:00.000Z",
  currency: "USD",
  prices: { "eu-west-1": PRICES },
  total: billed(USED),
  images: [],
  microvms: [],
  omittedMicrovms: 0,
};

test("the table has a line for each and a total, in columns", () => {
  expect(asTable([{ name: "microvm-1", ...billed(USED) }], REPORT)).toMatchInlineSnapshot(`
    "           vCPU-s  above   GB-s  above  read GB  written GB  stored GB-h       USD
    microvm-1   8.000  3.000  16.00  6.000        -           -            -  0.000405
    total       8.000  3.000  16.00  6.000        -           -            -  0.000405
    "
  `);
});

test("what is not listed is told of", () => {
  expect(asTable([], { ...REPORT, omittedMicrovms: 3 })).toMatch(/\n3 earlier microVMs are in the total only\n$/);
});

test("comma-separated values keep their digits", () => {
  const usage = { ...USED, storageGbHours: 1 / 3 };
  expect(asCsv([{ name: "microvm-1", ...billed(usage) }], REPORT).split("\n")).toEqual([
    "name,baselineVcpuSeconds,aboveVcpuSeconds,baselineGbSeconds,aboveGbSeconds,snapshotReadGb,snapshotWrittenGb,storageGbHours,costUSD",
    "microvm-1,8,3,16,6,0,0,0.3333333333333333,0.000449",
    "total,8,3,16,6,0,0,0,0.000405",
    "",
  ]);
});
