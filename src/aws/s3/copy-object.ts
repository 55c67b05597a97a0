import type { CopyObjectCommandInput } from "@aws-sdk/client-s3";
import type { Operation, OperationContext } from "../service.ts";
import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { checkReadConditions, checkWriteConditions } from "./conditions.ts";
import { knownAlgorithm } from "./declared-checksum.ts";
import { openObject } from "./get-object.ts";
import { findObject, replaceObject, type StoredObject } from "./object-rows.ts";
import { refuseUnsupported } from "./put-object.ts";
import { invalidArgument, invalidRequest, notImplemented } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { checksumMembers, headersOfInput } from "./stored-headers.ts";

export function copyObject(context: S3Context): Operation<CopyObjectCommandInput> {
  const { store, files, now } = context;
  return async (input, operation) => {
    const { name: bucket } = await requireBucket(store, input, operation.accountId);
    const key = requireKey(input.Key);
    refuseUnsupported(input);
    checkDirectives(input);
    checkWriteConditions(input, await findObject(store, bucket, key), key);
    const { object: source, handle } = await openCopySource(context, input, operation);
    const isReplacing = input.MetadataDirective === "REPLACE";
    const { checksum: before, partSizes: _, ...kept } = source.headers;
    let algorithm: ChecksumAlgorithm;
    try {
      if (source.bucket === bucket && source.key === key && !isReplacing)
        throw invalidRequest(
          "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
        );
      algorithm = input.ChecksumAlgorithm
        ? knownAlgorithm(input.ChecksumAlgorithm)
        : (before?.algorithm ?? "CRC64NVME");
    } catch (cause) {
      await handle.close();
      throw cause;
    }
    const written = await files.write(handle.createReadStream(), { algorithm });
    const checksum = { algorithm, value: written.checksum, type: "FULL_OBJECT" } as const;
    const etag = written.md5.toString("hex");
    const modifiedAt = now();
    try {
      const headers = { ...(isReplacing ? headersOfInput(input) : kept), checksum };
      const contentType = isReplacing ? (input.ContentType ?? null) : source.content_type;
      const object = {
        bucket,
        key,
        file: written.file,
        size: written.size,
        etag,
        content_type: contentType,
        headers,
        modified_at: modifiedAt,
      };
      const replaced = await store.db.transaction().execute((tx) => replaceObject(tx, object, input));
      if (replaced !== undefined) await files.remove([replaced]);
    } catch (error) {
      await files.remove([written.file]);
      throw error;
    }
    return {
      CopyObjectResult: { ETag: `"${etag}"`, LastModified: new Date(modifiedAt), ...checksumMembers(checksum) },
    };
  };
}

function checkDirectives({ MetadataDirective, TaggingDirective }: CopyObjectCommandInput): void {
  if (MetadataDirective !== undefined && !["COPY", "REPLACE"].includes(MetadataDirective)) {
    throw invalidArgument("Unknown metadata directive.", "x-amz-metadata-directive", MetadataDirective);
  }
  if (TaggingDirective === "REPLACE") throw notImplemented("x-amz-tagging-directive: REPLACE");
}

export interface CopySourceInput {
  readonly CopySource?: string;
  readonly CopySourceIfMatch?: string;
  readonly CopySourceIfNoneMatch?: string;
  readonly CopySourceIfModifiedSince?: Date;
  readonly CopySourceIfUnmodifiedSince?: Date;
  readonly ExpectedSourceBucketOwner?: string;
}

/** The source object, open for reading, after its conditions held. */
export async function openCopySource(
  context: S3Context,
  input: CopySourceInput,
  { accountId }: OperationContext,
): Promise<{ object: StoredObject; handle: Awaited<ReturnType<typeof openObject>>["handle"] }> {
  const { bucket, key } = parseCopySource(input.CopySource ?? "");
  await requireBucket(
    context.store,
    { Bucket: bucket, ExpectedBucketOwner: input.ExpectedSourceBucketOwner },
    accountId,
  );
  const opened = await openObject(context, bucket, key);
  try {
    const conditions = {
      IfMatch: input.CopySourceIfMatch,
      IfNoneMatch: input.CopySourceIfNoneMatch,
      IfModifiedSince: input.CopySourceIfModifiedSince,
      IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    };
    checkReadConditions(conditions, opened.object);
  } catch (error) {
    await opened.handle.close();
    throw error;
  }
  return opened;
}

/** "bucket/key" or "/bucket/key", percent-encoded, possibly with `?versionId=null`. */
export function parseCopySource(source: string): { bucket: string; key: string } {
  const [path = "", query] = source.split("?", 2);
  let decoded: string;
  try {
    decoded = decodeURIComponent(path).replace(/^\//, "");
  } catch (cause) {
    if (cause instanceof URIError)
      throw invalidArgument("Copy Source must be correctly URL-encoded", "x-amz-copy-source", source);
    throw cause;
  }
  const at = decoded.indexOf("/");
  if (at <= 0 || at === decoded.length - 1) {
    throw invalidArgument(
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      "x-amz-copy-source",
      source,
    );
  }
  if (query !== undefined && query !== "versionId=null")
    throw invalidArgument("Invalid version id specified", "x-amz-copy-source", source);
  return { bucket: decoded.slice(0, at), key: decoded.slice(at + 1) };
}
