import { z } from "zod";

const KINDS = ["traffic", "cpu", "keep-alive"] as const;
export type ActivityKind = (typeof KINDS)[number];

/** A list of what keeps a microVM from being idle; traffic always does. */
export const activitySetting = z
  .string()
  .transform((text) => text.split(",").map((kind) => kind.trim()))
  .pipe(z.array(z.enum(KINDS)))
  .transform((kinds): ReadonlySet<ActivityKind> => new Set(kinds));
