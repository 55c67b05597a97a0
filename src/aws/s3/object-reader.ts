import type { Readable } from "node:stream";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { Store } from "../../store/store.ts";
import { openObject } from "./get-object.ts";
import { createObjectFiles } from "./object-files.ts";

export interface OpenedObject {
  readonly size: number;
  /** Destroy it if it is not read to its end. */
  readonly body: Readable;
  readonly etag: string;
  /** Region of the bucket. */
  readonly region: string;
}

/** Reads objects for other modules of this server, past the wire and its signatures; who may read is theirs to ask. */
export interface ObjectReader {
  /** "permission": the bucket belongs to another account than the reader's, and nothing lets strangers in. */
  open(location: {
    readonly accountId: string;
    readonly bucket: string;
    readonly key: string;
  }): Promise<OpenedObject | { readonly missing: "bucket" | "key" | "permission" }>;
}

export function createObjectReader({
  store,
  objectsDirectory,
}: {
  store: Store;
  objectsDirectory: string;
}): ObjectReader {
  const context = { store, files: createObjectFiles(objectsDirectory), now: Date.now };
  return {
    async open({ accountId, bucket, key }) {
      const row = await store.db
        .selectFrom("s3_buckets")
        .select(["region", "account_id"])
        .where("name", "=", bucket)
        .executeTakeFirst();
      if (!row) return { missing: "bucket" };
      if (row.account_id !== accountId) return { missing: "permission" };
      try {
        const { object, handle } = await openObject(context, bucket, key);
        return { size: object.size, body: handle.createReadStream(), etag: object.etag, region: row.region };
      } catch (error) {
        if (error instanceof ServiceFault && error.shape === "NoSuchKey") return { missing: "key" };
        throw error;
      }
    },
  };
}
