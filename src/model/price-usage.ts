import type { PriceTable } from "./prices.ts";
import { USAGE_ITEMS, type Usage } from "./usage.ts";

/** Money by item of usage, in the currency of the price table. */
export interface Bill {
  /** Each to a millionth, as they are printed. */
  readonly items: Readonly<Record<keyof Usage, number>>;
  /** Of the items as printed, so that a bill adds up. */
  readonly total: number;
  /** Before any rounding. */
  readonly exact: number;
}

type Rate = Exclude<keyof PriceTable, "currency">;

const RATE_OF: Readonly<Record<keyof Usage, Rate>> = {
  baselineVcpuSeconds: "vcpuSecond",
  aboveVcpuSeconds: "vcpuSecond",
  baselineGbSeconds: "memoryGbSecond",
  aboveGbSeconds: "memoryGbSecond",
  snapshotReadGb: "snapshotReadGb",
  snapshotWrittenGb: "snapshotWriteGb",
  storageGbHours: "storageGbHour",
};

/**
 * Each item is rounded by itself and then added up, as the published bills of the service are: 5 s of 1 vCPU and 2 GB in
 * Ireland are 0.000146 + 0.000039 = 0.000185, though exactly 0.000184389.
 */
export function priceUsage(usage: Usage, prices: PriceTable): Bill {
  const exact = USAGE_ITEMS.map((item) => usage[item] * prices[RATE_OF[item]]);
  const items = USAGE_ITEMS.map((item, index) => [item, toMillionth(exact[index] as number)]);
  return bill(Object.fromEntries(items), sum(exact));
}

/** Of several Regions, each with prices of its own. */
export function addBills(bills: readonly Bill[]): Bill {
  const items = USAGE_ITEMS.map((item) => [item, toMillionth(sum(bills.map((each) => each.items[item])))]);
  return bill(Object.fromEntries(items), sum(bills.map(({ exact }) => exact)));
}

function bill(items: Bill["items"], exact: number): Bill {
  return { items, total: toMillionth(sum(Object.values(items))), exact };
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((all, amount) => all + amount, 0);
}

function toMillionth(amount: number): number {
  return Math.round(amount * 1e6) / 1e6;
}
