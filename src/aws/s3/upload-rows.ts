import type { ChecksumType } from "@aws-sdk/client-s3";
import type { Selectable } from "kysely";
import type { Store } from "../../store/store.ts";
import type { Database } from "../../store/tables.ts";
import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import { invalidArgument, noSuchUpload } from "./s3-faults.ts";
import type { StoredHeaders } from "./stored-headers.ts";

/** What CreateMultipartUpload fixed for the object to come. */
export interface UploadPlan {
  readonly contentType?: string;
  readonly headers: StoredHeaders;
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Whether the client chose the checksum; a default one is not echoed. */
  readonly isChosen: boolean;
}

export interface Upload extends Omit<Selectable<Database["s3_uploads"]>, "headers_json"> {
  readonly plan: UploadPlan;
}

/** Kept as the part's `headers_json`. */
export interface PartHeaders {
  /** Base64, of the upload's algorithm. */
  readonly checksum: string;
  readonly modifiedAt: number;
}

export interface Part extends Omit<Selectable<Database["s3_parts"]>, "headers_json"> {
  readonly headers: PartHeaders;
}

export const MAX_PART_NUMBER = 10_000;

/** An upload is found only under its own bucket and key. */
export async function requireUpload(
  store: Store,
  { bucket, key, uploadId }: { bucket: string; key: string; uploadId: string },
): Promise<Upload> {
  const row = await store.db
    .selectFrom("s3_uploads")
    .selectAll()
    .where("upload_id", "=", uploadId)
    .where("bucket", "=", bucket)
    .where("key", "=", key)
    .executeTakeFirst();
  if (!row) throw noSuchUpload(uploadId);
  const { headers_json, ...rest } = row;
  return { ...rest, plan: JSON.parse(headers_json) as UploadPlan };
}

export async function listPartsOf(store: Store, uploadId: string): Promise<Part[]> {
  const rows = await store.db
    .selectFrom("s3_parts")
    .selectAll()
    .where("upload_id", "=", uploadId)
    .orderBy("part_number")
    .execute();
  return rows.map(({ headers_json, ...rest }) => ({ ...rest, headers: JSON.parse(headers_json) as PartHeaders }));
}

/** Records a part in place of an earlier one of its number; answers that one's file, now without owner. */
export async function replacePart(store: Store, part: Part): Promise<string | undefined> {
  const { headers, ...rest } = part;
  return store.db.transaction().execute(async (tx) => {
    const upload = await tx
      .selectFrom("s3_uploads")
      .select("upload_id")
      .where("upload_id", "=", part.upload_id)
      .executeTakeFirst();
    if (!upload) throw noSuchUpload(part.upload_id); // completed or aborted while the part was sent
    const before = await tx
      .selectFrom("s3_parts")
      .select("file")
      .where("upload_id", "=", part.upload_id)
      .where("part_number", "=", part.part_number)
      .executeTakeFirst();
    const row = { ...rest, headers_json: JSON.stringify(headers) };
    await tx
      .insertInto("s3_parts")
      .values(row)
      .onConflict((c) => c.columns(["upload_id", "part_number"]).doUpdateSet(row))
      .execute();
    return before?.file;
  });
}

export function requirePartNumber(number: number | undefined): number {
  if (number === undefined || !Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
    throw invalidArgument(
      `Part number must be an integer between 1 and ${MAX_PART_NUMBER}, inclusive`,
      "partNumber",
      String(number),
    );
  }
  return number;
}
