import type { Selectable } from "kysely";
import type { Store } from "../../store/store.ts";
import type { Database } from "../../store/tables.ts";
import { ServiceFault } from "../../errors/service-fault.ts";
import { accessDenied, noSuchBucket } from "./s3-faults.ts";

export type BucketRow = Selectable<Database["s3_buckets"]>;

const MAX_KEY_BYTES = 1024;

export interface BucketInput {
  readonly Bucket?: string;
  readonly ExpectedBucketOwner?: string;
}

/** The bucket of a request; NoSuchBucket, or AccessDenied for a stranger's or an unexpected owner's. */
export async function requireBucket(store: Store, input: BucketInput, accountId: string): Promise<BucketRow> {
  const name = input.Bucket ?? "";
  const bucket = await store.db.selectFrom("s3_buckets").selectAll().where("name", "=", name).executeTakeFirst();
  if (!bucket) throw noSuchBucket(name);
  const { ExpectedBucketOwner: expected } = input;
  if (bucket.account_id !== accountId || (expected !== undefined && expected !== bucket.account_id))
    throw accessDenied();
  return bucket;
}

export function requireKey(key: string | undefined): string {
  if (key === undefined || key === "")
    throw new ServiceFault("InvalidRequest", "The object key is empty", { status: 400 });
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    const members = { Size: Buffer.byteLength(key), MaxSizeAllowed: MAX_KEY_BYTES };
    throw new ServiceFault("KeyTooLongError", "Your key is too long", { status: 400, members });
  }
  return key;
}

/** The rules of general purpose buckets. */
export function isValidBucketName(name: string): boolean {
  const hasForm = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name);
  const isReserved = /^xn--|^sthree-|^amzn-s3-demo-|-s3alias$|--ol-s3$|\.mrap$|--x-s3$/.test(name);
  return hasForm && !name.includes("..") && !/^\d+\.\d+\.\d+\.\d+$/.test(name) && !isReserved;
}
