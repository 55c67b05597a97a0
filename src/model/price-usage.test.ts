import { expect, test } from "vitest";
import { addBills, priceUsage } from "./price-usage.ts";
import { servicePrices } from "./prices.ts";
import { addUsage, baselineUsage, NO_USAGE, type Usage } from "./usage.ts";

const IRELAND = servicePrices("eu-west-1");

/** A microVM of 1 vCPU and 2 GB that ran for so long, and of that so long at a larger size. */
function ran(seconds: number, above: { seconds: number; vcpus: number; gb: number } = { seconds: 0, vcpus: 1, gb: 2 }) {
  return addUsage(NO_USAGE, {
    ...baselineUsage(2048, seconds),
    aboveVcpuSeconds: above.seconds * (above.vcpus - 1),
    aboveGbSeconds: above.seconds * (above.gb - 2),
  });
}

const PUBLISHED: [what: string, usage: Usage, printed: string, exact: string][] = [
  ["5 s at baseline", ran(5), "0.000185", "0.000184"],
  ["8 s of which 3 at 2 vCPU and 4 GB", ran(8, { seconds: 3, vcpus: 2, gb: 4 }), "0.000405", "0.000406"],
  ["12 s of which 5 at 4 vCPU and 8 GB", ran(12, { seconds: 5, vcpus: 4, gb: 8 }), "0.000996", "0.000996"],
];

test.each(PUBLISHED)("a published bill comes out to the last digit: %s", (_, usage, printed, exact) => {
  const bill = priceUsage(usage, IRELAND);
  expect(bill.total.toFixed(6)).toBe(printed);
  expect(bill.exact.toFixed(6)).toBe(exact);
});

test("2 GB and 1 vCPU in us-east-1 cost what users paid for an hour", () => {
  expect(priceUsage(ran(3600), servicePrices("us-east-1")).total).toBeCloseTo(0.1261, 4);
});

test("every item has its price", () => {
  const usage = { ...NO_USAGE, snapshotReadGb: 1000, snapshotWrittenGb: 100, storageGbHours: 720 };
  const bill = priceUsage(usage, servicePrices("us-east-1"));
  expect(bill.items).toMatchObject({ snapshotReadGb: 1.54677, snapshotWrittenGb: 0.379771, storageGbHours: 0.08 });
  expect(bill.total).toBe(2.006541);
});

test("bills of several Regions add up, and a Region without a known list has that of us-east-1", () => {
  const usage = ran(1000);
  const bills = ["eu-west-1", "ap-northeast-1", "xx-none-1"].map((region) => priceUsage(usage, servicePrices(region)));
  expect(servicePrices("xx-none-1")).toBe(servicePrices("us-east-1"));
  expect(servicePrices("constructor")).toBe(servicePrices("us-east-1"));
  expect(addBills(bills).total).toBeCloseTo(
    bills.reduce((sum, { total }) => sum + total, 0),
    9,
  );
});
