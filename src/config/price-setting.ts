import { z } from "zod";
import type { PriceTable } from "../model/prices.ts";
import { jsonSetting } from "./json-setting.ts";

const rate = z.number().min(0).default(0);

const table = z.strictObject({
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "a currency has three capital letters")
    .default("USD"),
  vcpuSecond: rate,
  memoryGbSecond: rate,
  snapshotReadGb: rate,
  snapshotWriteGb: rate,
  storageGbHour: rate,
});

/** "service" (null) for what the service takes in each Region, or JSON: one table for all. */
export const priceSetting = z
  .string()
  .transform((text) => (text === "service" ? "null" : text))
  .pipe(jsonSetting(table.nullable()))
  .transform((given): PriceTable | null => given);
