import { readPageToken, writePageToken, type PageScope } from "../page-token.ts";
import { validationError } from "./iam-faults.ts";

const DEFAULT_MAX_ITEMS = 100;

interface MarkerInput {
  readonly Marker?: string;
  readonly MaxItems?: number;
}

/** One page of an IAM list: `fetch` reads one row more than asked for, which tells whether there is a next page. */
export async function markerPage<T>(
  input: MarkerInput,
  scope: PageScope,
  fetch: (page: { after?: string; limit: number }) => Promise<T[]>,
  keyOf: (item: T) => string,
): Promise<{ items: T[]; IsTruncated: boolean; Marker?: string }> {
  const size = input.MaxItems ?? DEFAULT_MAX_ITEMS;
  const after = input.Marker === undefined ? undefined : readPageToken(scope, input.Marker);
  if (input.Marker !== undefined && after === undefined)
    throw validationError("Invalid Marker: it is not from this list.");
  const rows = await fetch({ after, limit: size + 1 });
  const items = rows.slice(0, size);
  const last = items.at(-1);
  if (rows.length <= size || last === undefined) return { items, IsTruncated: false };
  return { items, IsTruncated: true, Marker: writePageToken(scope, keyOf(last)) };
}
