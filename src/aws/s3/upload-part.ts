import type { Readable } from "node:stream";
import type { UploadPartCommandInput, UploadPartCopyCommandInput } from "@aws-sdk/client-s3";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { openCopySource } from "./copy-object.ts";
import { bodyOf, declaredAlgorithm, verifyUpload } from "./declared-checksum.ts";
import type { WrittenFile } from "./object-files.ts";
import { parseRange } from "./range.ts";
import { invalidArgument, invalidRequest, notImplemented } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { replacePart, requirePartNumber, requireUpload, type Upload } from "./upload-rows.ts";

export function uploadPart(context: S3Context): Operation<UploadPartCommandInput> {
  return async (input, { accountId }) => {
    if (input.SSECustomerAlgorithm !== undefined)
      throw notImplemented("x-amz-server-side-encryption-customer-algorithm");
    const { upload, partNumber } = await locate(context, input, accountId);
    const algorithm = partAlgorithm(upload, input);
    const { written } = await storePart(context, {
      upload,
      partNumber,
      body: bodyOf(input),
      algorithm,
      verify: (file) => verifyUpload(input, file, algorithm),
    });
    const checksum =
      upload.plan.isChosen || declaredAlgorithm(input) ? { [`Checksum${algorithm}`]: written.checksum } : {};
    return { ETag: `"${written.md5.toString("hex")}"`, ...checksum };
  };
}

export function uploadPartCopy(context: S3Context): Operation<UploadPartCopyCommandInput> {
  return async (input, operation) => {
    const { upload, partNumber } = await locate(context, input, operation.accountId);
    const { object, handle } = await openCopySource(context, input, operation);
    let body: Readable;
    try {
      const range = input.CopySourceRange === undefined ? undefined : parseRange(input.CopySourceRange, object.size);
      if (input.CopySourceRange !== undefined && !range) {
        throw invalidArgument(
          "The x-amz-copy-source-range value must be of the form bytes=first-last",
          "x-amz-copy-source-range",
          input.CopySourceRange,
        );
      }
      body = handle.createReadStream({ ...range });
    } catch (error) {
      await handle.close();
      throw error;
    }
    const { algorithm } = upload.plan;
    const { written, modifiedAt } = await storePart(context, { upload, partNumber, body, algorithm, verify: () => {} });
    const checksum = upload.plan.isChosen ? { [`Checksum${algorithm}`]: written.checksum } : {};
    return {
      CopyPartResult: { ETag: `"${written.md5.toString("hex")}"`, LastModified: new Date(modifiedAt), ...checksum },
    };
  };
}

interface PartInput {
  readonly Bucket?: string;
  readonly Key?: string;
  readonly UploadId?: string;
  readonly PartNumber?: number;
  readonly ExpectedBucketOwner?: string;
}

async function locate(
  { store }: S3Context,
  input: PartInput,
  accountId: string,
): Promise<{ upload: Upload; partNumber: number }> {
  const { name: bucket } = await requireBucket(store, input, accountId);
  const partNumber = requirePartNumber(input.PartNumber);
  const upload = await requireUpload(store, { bucket, key: requireKey(input.Key), uploadId: input.UploadId ?? "" });
  return { upload, partNumber };
}

/** Parts are hashed with the algorithm of the upload; with none chosen, whatever the part itself declares is checked. */
function partAlgorithm({ plan }: Upload, input: UploadPartCommandInput): Upload["plan"]["algorithm"] {
  const declared = declaredAlgorithm(input);
  if (declared === undefined || declared === plan.algorithm || !plan.isChosen) return declared ?? plan.algorithm;
  throw invalidRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${plan.algorithm.toLowerCase()}, actual checksum Type: ${declared.toLowerCase()}`,
  );
}

interface PartToStore {
  readonly upload: Upload;
  readonly partNumber: number;
  readonly body: Readable;
  readonly algorithm: Upload["plan"]["algorithm"];
  readonly verify: (written: WrittenFile) => void;
}

async function storePart(
  { store, files, now }: S3Context,
  part: PartToStore,
): Promise<{ written: WrittenFile; modifiedAt: number }> {
  const written = await files.write(part.body, { algorithm: part.algorithm });
  const modifiedAt = now();
  try {
    part.verify(written);
    const replaced = await replacePart(store, {
      upload_id: part.upload.upload_id,
      part_number: part.partNumber,
      file: written.file,
      size: written.size,
      etag: written.md5.toString("hex"),
      headers: { checksum: written.checksum, modifiedAt },
    });
    if (replaced !== undefined) await files.remove([replaced]);
    return { written, modifiedAt };
  } catch (error) {
    await files.remove([written.file]);
    throw error;
  }
}
