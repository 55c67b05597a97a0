import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { checkWriteConditions } from "./conditions.ts";
import { bodyOf, uploadAlgorithm, verifyUpload } from "./declared-checksum.ts";
import { findObject, replaceObject } from "./object-rows.ts";
import { invalidRequest, notImplemented } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { checksumMembers, headersOfInput } from "./stored-headers.ts";

const HARMLESS_ACLS = new Set(["private", "bucket-owner-full-control", "bucket-owner-read"]);

/** Members that ask for protection or exposure which would silently not happen. */
export interface UnsupportedInput {
  readonly ACL?: string;
  readonly SSECustomerAlgorithm?: string;
  readonly ServerSideEncryption?: string;
  readonly Tagging?: string;
  readonly ObjectLockMode?: string;
  readonly ObjectLockLegalHoldStatus?: string;
}

export function refuseUnsupported(input: UnsupportedInput): void {
  if (input.ACL !== undefined && !HARMLESS_ACLS.has(input.ACL)) {
    throw new ServiceFault("AccessControlListNotSupported", "The bucket does not allow ACLs", { status: 400 });
  }
  if (input.SSECustomerAlgorithm !== undefined) throw notImplemented("x-amz-server-side-encryption-customer-algorithm");
  const { ServerSideEncryption: encryption } = input;
  if (encryption !== undefined && encryption !== "AES256")
    throw notImplemented(`x-amz-server-side-encryption: ${encryption}`);
  if (input.Tagging !== undefined && input.Tagging !== "") throw notImplemented("x-amz-tagging");
  if (input.ObjectLockMode !== undefined || input.ObjectLockLegalHoldStatus !== undefined) {
    throw invalidRequest("Bucket is missing Object Lock Configuration");
  }
}

export function putObject({ store, files, now }: S3Context): Operation<PutObjectCommandInput> {
  return async (input, { accountId }) => {
    const { name: bucket } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    refuseUnsupported(input);
    if (input.WriteOffsetBytes !== undefined) throw notImplemented("x-amz-write-offset-bytes");
    const headers = headersOfInput(input);
    const algorithm = uploadAlgorithm(input);
    // Checked again in the transaction; here to refuse before the body is sent.
    checkWriteConditions(input, await findObject(store, bucket, key), key);
    const written = await files.write(bodyOf(input), { algorithm });
    const checksum = { algorithm, value: written.checksum, type: "FULL_OBJECT" } as const;
    const { file, size } = written;
    const etag = written.md5.toString("hex");
    try {
      verifyUpload(input, written, algorithm);
      const object = {
        bucket,
        key,
        file,
        size,
        etag,
        content_type: input.ContentType ?? null,
        headers: { ...headers, checksum },
        modified_at: now(),
      };
      const replaced = await store.db.transaction().execute((tx) => replaceObject(tx, object, input));
      if (replaced !== undefined) await files.remove([replaced]);
    } catch (error) {
      await files.remove([file]);
      throw error;
    }
    return { ETag: `"${etag}"`, ...checksumMembers(checksum) };
  };
}
