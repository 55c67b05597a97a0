import type { DeleteObjectCommandInput, DeleteObjectsCommandInput } from "@aws-sdk/client-s3";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { deleteObjectRow, findObject } from "./object-rows.ts";
import { invalidArgument, preconditionFailed } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";

const MAX_KEYS = 1000;

/** Deleting what is not there succeeds too. */
export function deleteObject({ store, files }: S3Context): Operation<DeleteObjectCommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    refuseVersion(input.VersionId);
    if (input.IfMatch !== undefined && input.IfMatch !== "*") {
      const object = await findObject(store, name, key);
      if (object && object.etag !== input.IfMatch.replaceAll('"', "")) throw preconditionFailed("If-Match");
    }
    const file = await deleteObjectRow(store, name, key);
    if (file !== undefined) await files.remove([file]);
  };
}

/** Up to 1000 keys; each has an outcome of its own. */
export function deleteObjects({ store, files }: S3Context): Operation<DeleteObjectsCommandInput> {
  return async (input, { accountId, refusedParts }) => {
    const { name } = await requireBucket(store, input, accountId);
    const objects = input.Delete?.Objects ?? [];
    if (objects.length === 0 || objects.length > MAX_KEYS) {
      throw new ServiceFault(
        "MalformedXML",
        `Between 1 and ${MAX_KEYS} keys can be deleted at once, not ${objects.length}`,
        { status: 400 },
      );
    }
    const deleted: { Key?: string }[] = [];
    const errors: { Key?: string; Code: string; Message: string }[] = [];
    for (const { Key, VersionId } of objects) {
      const refusal = refusedParts?.get(Key ?? "");
      if (refusal !== undefined) {
        errors.push({ Key, Code: "AccessDenied", Message: refusal });
        continue;
      }
      try {
        refuseVersion(VersionId);
        const file = await deleteObjectRow(store, name, requireKey(Key));
        if (file !== undefined) await files.remove([file]);
        deleted.push({ Key });
      } catch (error) {
        if (!(error instanceof ServiceFault)) throw error;
        errors.push({ Key, Code: error.shape, Message: error.message });
      }
    }
    return { Deleted: input.Delete?.Quiet ? [] : deleted, Errors: errors };
  };
}

/** Buckets have no versions; "null" names the only one. */
function refuseVersion(versionId: string | undefined): void {
  if (versionId !== undefined && versionId !== "null")
    throw invalidArgument("Invalid version id specified", "versionId", versionId);
}
