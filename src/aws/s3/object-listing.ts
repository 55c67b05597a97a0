import type { Store } from "../../store/store.ts";
import { afterPrefix, laterKey } from "./key-range.ts";

export interface ListingQuestion {
  readonly bucket: string;
  readonly prefix: string;
  /** Keys with it after the prefix are rolled up; "" rolls nothing up. */
  readonly delimiter: string;
  /** First key or text that may appear; "" from the start. */
  readonly from: string;
  readonly max: number;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified_at: number;
  readonly headers_json: string;
}

export interface Listing {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  /** Last key or common prefix of the page, and where the next page begins; undefined at the end. */
  readonly next?: { readonly last: string; readonly from: string };
}

const BATCH = 1000;

/** One page of keys in byte order; a common prefix counts as one entry, and the keys below it are skipped, not read. */
export async function listObjectsPage(store: Store, question: ListingQuestion): Promise<Listing> {
  const { prefix, delimiter, max } = question;
  const objects: ListedObject[] = [];
  const commonPrefixes: string[] = [];
  const end = prefix === "" ? undefined : afterPrefix(prefix);
  let cursor: string | undefined = laterKey(question.from, prefix);
  let last: string | undefined;
  while (cursor !== undefined) {
    const rows = await readBatch(store, {
      bucket: question.bucket,
      from: cursor,
      end,
      limit: Math.min(BATCH, max + 1),
    });
    let skipTo: string | undefined;
    let isSkipping = false;
    for (const row of rows) {
      const rolled = commonPrefix(row.key, prefix, delimiter);
      if (objects.length + commonPrefixes.length === max) {
        return { objects, commonPrefixes, next: last === undefined ? undefined : { last, from: row.key } };
      }
      last = rolled ?? row.key;
      if (rolled === undefined) objects.push(row);
      else {
        commonPrefixes.push(rolled);
        skipTo = afterPrefix(rolled);
        isSkipping = true;
        break;
      }
    }
    if (isSkipping) cursor = skipTo;
    else cursor = rows.length < Math.min(BATCH, max + 1) ? undefined : after(rows.at(-1)?.key ?? "");
  }
  return { objects, commonPrefixes };
}

/** The smallest text after a key. */
export function after(key: string): string {
  return `${key}\0`;
}

function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : key.slice(0, at + delimiter.length);
}

async function readBatch(
  store: Store,
  { bucket, from, end, limit }: { bucket: string; from: string; end: string | undefined; limit: number },
): Promise<ListedObject[]> {
  let query = store.db
    .selectFrom("s3_objects")
    .select(["key", "size", "etag", "modified_at", "headers_json"])
    .where("bucket", "=", bucket)
    .where("key", ">=", from)
    .orderBy("key")
    .limit(limit);
  if (end !== undefined) query = query.where("key", "<", end);
  return await query.execute();
}
