/** Three-valued: "unknown" when an operator or a key's value is not known here; the caller then takes the safe side. */
export type Truth = boolean | "unknown";

/** One true decides, whatever is unknown beside it. */
export function anyTrue(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes("unknown") ? "unknown" : false;
}

/** One false decides, whatever is unknown beside it. */
export function allTrue(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes("unknown") ? "unknown" : true;
}

export function not(truth: Truth): Truth {
  return truth === "unknown" ? "unknown" : !truth;
}
