import { randomBytes } from "node:crypto";
import type { AbortMultipartUploadCommandInput, CreateMultipartUploadCommandInput } from "@aws-sdk/client-s3";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { knownAlgorithm } from "./declared-checksum.ts";
import { refuseUnsupported } from "./put-object.ts";
import { invalidRequest } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { headersOfInput } from "./stored-headers.ts";
import { listPartsOf, requireUpload, type UploadPlan } from "./upload-rows.ts";

export function createMultipartUpload({ store, now }: S3Context): Operation<CreateMultipartUploadCommandInput> {
  return async (input, { accountId }) => {
    const { name: bucket } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    refuseUnsupported(input);
    const plan: UploadPlan = { contentType: input.ContentType, headers: headersOfInput(input), ...planChecksum(input) };
    const uploadId = randomBytes(48).toString("base64url");
    const row = { upload_id: uploadId, bucket, key, headers_json: JSON.stringify(plan), created_at: now() };
    await store.db.insertInto("s3_uploads").values(row).execute();
    const echo = plan.isChosen ? { ChecksumAlgorithm: plan.algorithm, ChecksumType: plan.type } : {};
    return { Bucket: bucket, Key: key, UploadId: uploadId, ...echo };
  };
}

/** Which algorithms can be composed of parts' checksums, and which span the whole object, is S3's rule. */
function planChecksum(input: CreateMultipartUploadCommandInput): Pick<UploadPlan, "algorithm" | "type" | "isChosen"> {
  if (input.ChecksumAlgorithm === undefined) {
    if (input.ChecksumType !== undefined)
      throw invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
    return { algorithm: "CRC64NVME", type: "FULL_OBJECT", isChosen: false };
  }
  const algorithm = knownAlgorithm(input.ChecksumAlgorithm);
  const type = input.ChecksumType ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
  const isCrc = algorithm.startsWith("CRC");
  const isPossible = type === "FULL_OBJECT" ? isCrc : type === "COMPOSITE" && algorithm !== "CRC64NVME";
  if (!isPossible)
    throw invalidRequest(
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  return { algorithm, type, isChosen: true };
}

export function abortMultipartUpload({ store, files }: S3Context): Operation<AbortMultipartUploadCommandInput> {
  return async (input, { accountId }) => {
    const { name: bucket } = await requireBucket(store, input, accountId);
    const upload = await requireUpload(store, { bucket, key: requireKey(input.Key), uploadId: input.UploadId ?? "" });
    const parts = await store.db.transaction().execute(async (tx) => {
      const listed = await listPartsOf({ ...store, db: tx }, upload.upload_id);
      await tx.deleteFrom("s3_uploads").where("upload_id", "=", upload.upload_id).execute();
      return listed;
    });
    await files.remove(parts.map(({ file }) => file));
  };
}
