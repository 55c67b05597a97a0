import { z } from "zod";
import { CONSTRAINTS } from "../model/constraints.ts";
import { CORE_CONSTRAINTS } from "../model/constraints-core.ts";
import { NO_QUOTAS, SERVICE_QUOTAS, type Quotas } from "../model/quotas.ts";
import { jsonSetting } from "./json-setting.ts";

const OPERATIONS = [...Object.keys(CONSTRAINTS), ...Object.keys(CORE_CONSTRAINTS)];

const count = z.number().int().min(0).optional();
const perSecond = z.number().positive().max(1_000_000);

const rate = z
  .union([perSecond, z.strictObject({ perSecond, burst: z.number().int().min(1) })])
  .transform((given) =>
    typeof given === "number" ? { perSecond: given, burst: Math.max(1, Math.floor(given)) } : given,
  );

const quotas = z.strictObject({
  images: count,
  versionsPerImage: count,
  concurrentBuilds: count,
  memoryGB: z.number().min(0).optional(),
  networkConnectors: count,
  rates: z
    .record(
      z.string().refine((name) => OPERATIONS.includes(name), "a rate is of no operation"),
      rate,
    )
    .optional(),
});

/** "off", "service" for what the service grants by default, or JSON. */
export const quotaSetting = z
  .string()
  .transform((text) => {
    if (text === "off") return JSON.stringify(NO_QUOTAS);
    return text === "service" ? JSON.stringify(SERVICE_QUOTAS) : text;
  })
  .pipe(jsonSetting(quotas))
  .transform((given): Quotas => given);
