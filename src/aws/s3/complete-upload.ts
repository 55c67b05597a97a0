import { createHash } from "node:crypto";
import type { CompleteMultipartUploadCommandInput, CompletedPart } from "@aws-sdk/client-s3";
import { ServiceFault } from "../../errors/service-fault.ts";
import { badChecksum, startChecksum } from "../protocol/checksum.ts";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { checkWriteConditions } from "./conditions.ts";
import type { ObjectFiles, WrittenFile } from "./object-files.ts";
import { findObject, replaceObject } from "./object-rows.ts";
import { invalidRequest, noSuchUpload } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { checksumMembers, type StoredChecksum } from "./stored-headers.ts";
import { listPartsOf, requireUpload, type Part, type Upload, type UploadPlan } from "./upload-rows.ts";

/** All parts but the last have at least 5 MiB; an object of parts has at most 5 TiB. */
const MIN_PART_BYTES = 5 * 1024 ** 2;
const MAX_OBJECT_BYTES = 5 * 1024 ** 4;

export function completeMultipartUpload(context: S3Context): Operation<CompleteMultipartUploadCommandInput> {
  const { store, files } = context;
  return async (input, { accountId }) => {
    const { name: bucket } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    const upload = await requireUpload(store, { bucket, key, uploadId: input.UploadId ?? "" });
    const stored = await listPartsOf(store, upload.upload_id);
    const parts = chooseParts(input.MultipartUpload?.Parts ?? [], stored, upload.plan);
    checkWriteConditions(input, await findObject(store, bucket, key), key);
    const written = await files.write(readParts(files, parts), {
      algorithm: upload.plan.algorithm,
      maxBytes: MAX_OBJECT_BYTES,
    });
    const etag = `${createHash("md5")
      .update(Buffer.from(parts.map((part) => part.etag).join(""), "hex"))
      .digest("hex")}-${parts.length}`;
    let checksum: StoredChecksum;
    try {
      if (input.MpuObjectSize !== undefined && input.MpuObjectSize !== written.size)
        throw invalidRequest("The provided 'x-amz-mp-object-size' header value does not match what was computed.");
      checksum = await checksumOf(upload.plan, parts, written);
      checkDeclared(input, checksum);
      await commit(context, { upload, parts, written, etag, checksum, input });
    } catch (error) {
      await files.remove([written.file]);
      throw error;
    }
    await files.remove(stored.map(({ file }) => file));
    const location = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
    return { Location: location, Bucket: bucket, Key: key, ETag: `"${etag}"`, ...checksumMembers(checksum) };
  };
}

/** The client's list against what was uploaded: ascending, present, unchanged, large enough. */
function chooseParts(listed: readonly CompletedPart[], stored: readonly Part[], plan: UploadPlan): Part[] {
  if (listed.length === 0)
    throw new ServiceFault("MalformedXML", "You must specify at least one part", { status: 400 });
  const byNumber = new Map(stored.map((part) => [part.part_number, part]));
  let previous = 0;
  const parts = listed.map((item) => {
    const number = item.PartNumber ?? 0;
    if (number <= previous) {
      const message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
      throw new ServiceFault("InvalidPartOrder", message, { status: 400 });
    }
    previous = number;
    const part = byNumber.get(number);
    const checksum = item[`Checksum${plan.algorithm}`];
    const isSame =
      part?.etag === item.ETag?.replaceAll('"', "") &&
      (!plan.isChosen || checksum === undefined || checksum === part?.headers.checksum);
    if (part && isSame) return part;
    const message =
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    throw new ServiceFault("InvalidPart", message, { status: 400, members: { PartNumber: number } });
  });
  const small = parts.slice(0, -1).find((part) => part.size < MIN_PART_BYTES);
  if (small) {
    const members = { PartNumber: small.part_number, ProposedSize: small.size, MinSizeAllowed: MIN_PART_BYTES };
    throw new ServiceFault("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
      status: 400,
      members,
    });
  }
  return parts;
}

async function* readParts(files: ObjectFiles, parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    const handle = await files.open(part.file);
    if (!handle) throw noSuchUpload(part.upload_id); // aborted, or the part replaced, while this ran
    yield* handle.createReadStream() as AsyncIterable<Buffer>;
  }
}

async function checksumOf(plan: UploadPlan, parts: readonly Part[], written: WrittenFile): Promise<StoredChecksum> {
  const { algorithm, type } = plan;
  if (type === "FULL_OBJECT") return { algorithm, type, value: written.checksum };
  const running = startChecksum(algorithm);
  for (const part of parts) running.update(Buffer.from(part.headers.checksum, "base64"));
  return { algorithm, type, value: `${await running.digest()}-${parts.length}` };
}

function checkDeclared(input: CompleteMultipartUploadCommandInput, { algorithm, type, value }: StoredChecksum): void {
  if (input.ChecksumType !== undefined && input.ChecksumType !== type) {
    throw invalidRequest(
      `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    );
  }
  const declared = input[`Checksum${algorithm}`];
  if (declared !== undefined && declared !== value && declared !== value.replace(/-\d+$/, ""))
    throw badChecksum(algorithm);
}

interface Commit {
  readonly upload: Upload;
  readonly parts: readonly Part[];
  readonly written: WrittenFile;
  readonly etag: string;
  readonly checksum: StoredChecksum;
  readonly input: CompleteMultipartUploadCommandInput;
}

async function commit(
  { store, files, now }: S3Context,
  { upload, parts, written, etag, checksum, input }: Commit,
): Promise<void> {
  const { bucket, key, plan } = upload;
  const headers = { ...plan.headers, checksum, partSizes: parts.map((part) => part.size) };
  const { file, size } = written;
  const replaced = await store.db.transaction().execute(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom("s3_uploads")
      .where("upload_id", "=", upload.upload_id)
      .executeTakeFirst();
    if (numDeletedRows === 0n) throw noSuchUpload(upload.upload_id); // somebody else finished it first
    return replaceObject(
      tx,
      { bucket, key, file, size, etag, content_type: plan.contentType ?? null, headers, modified_at: now() },
      input,
    );
  });
  if (replaced !== undefined) await files.remove([replaced]);
}
