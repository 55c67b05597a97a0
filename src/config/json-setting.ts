import { z } from "zod";

/** A setting whose text is JSON of the given shape; empty stands for an empty object. */
export function jsonSetting<T extends z.ZodType>(shape: T) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text === "" ? "{}" : text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "it is not JSON" });
        return z.NEVER;
      }
    })
    .pipe(shape);
}
