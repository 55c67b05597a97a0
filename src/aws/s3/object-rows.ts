import type { Insertable, Kysely, Selectable } from "kysely";
import type { Store } from "../../store/store.ts";
import type { Database } from "../../store/tables.ts";
import type { StoredHeaders } from "./stored-headers.ts";
import { noSuchBucket } from "./s3-faults.ts";
import { checkWriteConditions, type WriteConditions } from "./conditions.ts";

type ObjectRow = Selectable<Database["s3_objects"]>;

/** An object as the operations see it. */
export interface StoredObject extends Omit<ObjectRow, "headers_json"> {
  readonly headers: StoredHeaders;
}

export async function findObject(store: Store, bucket: string, key: string): Promise<StoredObject | undefined> {
  return findIn(store.db, bucket, key);
}

async function findIn(db: Kysely<Database>, bucket: string, key: string): Promise<StoredObject | undefined> {
  const row = await db
    .selectFrom("s3_objects")
    .selectAll()
    .where("bucket", "=", bucket)
    .where("key", "=", key)
    .executeTakeFirst();
  if (!row) return undefined;
  const { headers_json, ...rest } = row;
  return { ...rest, headers: JSON.parse(headers_json) as StoredHeaders };
}

export interface NewObject extends Omit<Insertable<Database["s3_objects"]>, "headers_json"> {
  readonly headers: StoredHeaders;
}

/** Puts an object in place of an older one, if the conditions still hold; answers the older one's file, now without owner. */
export async function replaceObject(
  db: Kysely<Database>,
  object: NewObject,
  conditions: WriteConditions,
): Promise<string | undefined> {
  const { headers, ...rest } = object;
  const bucket = await db.selectFrom("s3_buckets").select("name").where("name", "=", object.bucket).executeTakeFirst();
  if (!bucket) throw noSuchBucket(object.bucket); // deleted while the upload ran
  const before = await findIn(db, object.bucket, object.key);
  checkWriteConditions(conditions, before, object.key);
  const row = { ...rest, headers_json: JSON.stringify(headers) };
  await db
    .insertInto("s3_objects")
    .values(row)
    .onConflict((c) => c.columns(["bucket", "key"]).doUpdateSet(row))
    .execute();
  return before?.file;
}

/** Answers the file of the deleted object, now without owner. */
export async function deleteObjectRow(store: Store, bucket: string, key: string): Promise<string | undefined> {
  const row = await store.db
    .deleteFrom("s3_objects")
    .where("bucket", "=", bucket)
    .where("key", "=", key)
    .returning("file")
    .executeTakeFirst();
  return row?.file;
}
