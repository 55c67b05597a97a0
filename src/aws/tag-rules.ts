import type { ServiceFault } from "../errors/service-fault.ts";

const MAX_TAGS = 50;

/** Limits that AWS sets for tags everywhere; returns the tags. `fault` makes the error of the calling operation. */
export function checkTags(
  tags: Readonly<Record<string, string>>,
  fault: (message: string) => ServiceFault,
): Record<string, string> {
  const keys = Object.keys(tags);
  if (keys.length > MAX_TAGS) throw fault(`A resource can have at most ${MAX_TAGS} tags`);
  const reserved = keys.find((key) => key.toLowerCase().startsWith("aws:"));
  if (reserved !== undefined) throw fault(`Tag key ${reserved} begins with aws:, which is reserved`);
  return { ...tags };
}
