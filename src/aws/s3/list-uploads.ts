import type { ListMultipartUploadsCommandInput, ListPartsCommandInput } from "@aws-sdk/client-s3";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey } from "./bucket-access.ts";
import { laterKey } from "./key-range.ts";
import { encoder, maxKeys } from "./list-objects.ts";
import { notImplemented } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { listPartsOf, requireUpload, type UploadPlan } from "./upload-rows.ts";

export function listMultipartUploads({ store }: S3Context): Operation<ListMultipartUploadsCommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    if (input.Delimiter) throw notImplemented("delimiter of ListMultipartUploads");
    const { Prefix = "", KeyMarker = "", UploadIdMarker = "" } = input;
    const max = maxKeys(input.MaxUploads);
    const encode = encoder(input.EncodingType);
    const rows = await store.db
      .selectFrom("s3_uploads")
      .selectAll()
      .where("bucket", "=", name)
      .where("key", ">=", laterKey(KeyMarker, Prefix))
      .orderBy("key")
      .orderBy("created_at")
      .orderBy("upload_id")
      .execute();
    const matching = rows.filter(({ key }) => key.startsWith(Prefix));
    const marked = matching.findIndex(({ key, upload_id }) => key === KeyMarker && upload_id === UploadIdMarker);
    const rest =
      marked === -1 ? matching.filter(({ key }) => KeyMarker === "" || key !== KeyMarker) : matching.slice(marked + 1);
    const page = rest.slice(0, max);
    const isTruncated = rest.length > page.length && page.length > 0;
    return {
      Bucket: name,
      KeyMarker: encode(KeyMarker),
      UploadIdMarker,
      Prefix: encode(Prefix),
      MaxUploads: max,
      EncodingType: input.EncodingType,
      IsTruncated: isTruncated,
      NextKeyMarker: isTruncated ? encode(page.at(-1)?.key ?? "") : undefined,
      NextUploadIdMarker: isTruncated ? page.at(-1)?.upload_id : undefined,
      Uploads: page.map((upload) => {
        const plan = JSON.parse(upload.headers_json) as UploadPlan;
        const checksum = plan.isChosen ? { ChecksumAlgorithm: plan.algorithm, ChecksumType: plan.type } : {};
        const owner = { ID: accountId };
        return {
          UploadId: upload.upload_id,
          Key: encode(upload.key),
          Initiated: new Date(upload.created_at),
          StorageClass: "STANDARD",
          Owner: owner,
          Initiator: owner,
          ...checksum,
        };
      }),
    };
  };
}

export function listParts({ store }: S3Context): Operation<ListPartsCommandInput> {
  return async (input, { accountId }) => {
    const { name: bucket } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    const upload = await requireUpload(store, { bucket, key, uploadId: input.UploadId ?? "" });
    const { algorithm, type, isChosen } = upload.plan;
    const max = maxKeys(input.MaxParts);
    const marker = Number(input.PartNumberMarker ?? 0) || 0;
    const rest = (await listPartsOf(store, upload.upload_id)).filter((part) => part.part_number > marker);
    const page = rest.slice(0, max);
    const isTruncated = rest.length > page.length && page.length > 0;
    return {
      Bucket: bucket,
      Key: key,
      UploadId: upload.upload_id,
      PartNumberMarker: String(marker),
      NextPartNumberMarker: isTruncated ? String(page.at(-1)?.part_number) : undefined,
      MaxParts: max,
      IsTruncated: isTruncated,
      StorageClass: "STANDARD",
      Owner: { ID: accountId },
      Initiator: { ID: accountId },
      ...(isChosen ? { ChecksumAlgorithm: algorithm, ChecksumType: type } : {}),
      Parts: page.map((part) => ({
        PartNumber: part.part_number,
        LastModified: new Date(part.headers.modifiedAt),
        ETag: `"${part.etag}"`,
        Size: part.size,
        ...(isChosen ? { [`Checksum${algorithm}`]: part.headers.checksum } : {}),
      })),
    };
  };
}
