import { createHash, randomBytes } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type S3Client,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { useS3, type S3Endpoint } from "../../../test/support/s3-endpoint.ts";

const target = { Bucket: "a-bucket", Key: "big file" };
const MIB = 1024 ** 2;

async function useUpload(
  more: Partial<CreateMultipartUploadCommand["input"]> = {},
): Promise<{ endpoint: S3Endpoint; s3: S3Client; UploadId: string }> {
  const endpoint = await useS3();
  const s3 = endpoint.client();
  await s3.send(new CreateBucketCommand({ Bucket: target.Bucket }));
  const { UploadId = "" } = await s3.send(new CreateMultipartUploadCommand({ ...target, ...more }));
  return { endpoint, s3, UploadId };
}

async function sendPart(
  s3: S3Client,
  UploadId: string,
  part: { PartNumber: number; Body: Buffer },
): Promise<CompletedPart> {
  const { $metadata: _, ...answer } = await s3.send(new UploadPartCommand({ ...target, UploadId, ...part }));
  return { PartNumber: part.PartNumber, ...answer };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("parts become one object, with its metadata and the ETag of a multipart upload", async () => {
  const { endpoint, s3, UploadId } = await useUpload({ Metadata: { a: "1" }, ContentType: "text/x" });
  const bodies = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(10)];
  const Parts: CompletedPart[] = [];
  for (const [index, Body] of bodies.entries())
    Parts.push(await sendPart(s3, UploadId, { PartNumber: index * 2 + 1, Body }));
  expect((await s3.send(new ListPartsCommand({ ...target, UploadId, MaxParts: 2 }))).Parts).toMatchObject([
    { PartNumber: 1, Size: 5 * MIB },
    { PartNumber: 3 },
  ]);
  const done = await s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
  const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest();
  expect(done.ETag).toBe(`"${md5(Buffer.concat(bodies.map(md5))).toString("hex")}-3"`);
  const got = await s3.send(new GetObjectCommand(target));
  expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(Buffer.concat(bodies))).toBe(true);
  expect(got).toMatchObject({ Metadata: { a: "1" }, ContentType: "text/x", ContentLength: 10 * MIB + 10 });
  expect(await s3.send(new HeadObjectCommand({ ...target, PartNumber: 3 }))).toMatchObject({
    ContentLength: 10,
    PartsCount: 3,
  });
  expect(await endpoint.files()).toHaveLength(1);
  expect(await failure(sendPart(s3, UploadId, { PartNumber: 1, Body: Buffer.from("x") }))).toMatchObject({
    name: "NoSuchUpload",
  });
});

test.each([
  { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" },
  { ChecksumAlgorithm: "CRC32", ChecksumType: "COMPOSITE" },
  { ChecksumAlgorithm: "CRC64NVME", ChecksumType: "FULL_OBJECT" },
  { ChecksumAlgorithm: "SHA256", ChecksumType: "COMPOSITE" },
] as const)(
  "a checksum spans the parts: $ChecksumAlgorithm $ChecksumType",
  async ({ ChecksumAlgorithm, ChecksumType }) => {
    const { s3, UploadId } = await useUpload({ ChecksumAlgorithm, ChecksumType });
    const part = async (PartNumber: number, Body: Buffer) => {
      const answer = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body, ChecksumAlgorithm }));
      return {
        PartNumber,
        ETag: answer.ETag,
        [`Checksum${ChecksumAlgorithm}`]: answer[`Checksum${ChecksumAlgorithm}`],
      };
    };
    const Parts = [await part(1, Buffer.alloc(5 * MIB, 1)), await part(2, Buffer.from("end"))];
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ ...target, UploadId, ChecksumType, MultipartUpload: { Parts } }),
    );
    const value = done[`Checksum${ChecksumAlgorithm}`];
    expect(value).toMatch(ChecksumType === "COMPOSITE" ? /-2$/ : /=$/);
    const head = await s3.send(new HeadObjectCommand({ ...target, ChecksumMode: "ENABLED" }));
    expect(head).toMatchObject({ [`Checksum${ChecksumAlgorithm}`]: value, ChecksumType });
  },
);

test("a list of parts that does not fit is refused and the upload stays", async () => {
  const { s3, UploadId } = await useUpload();
  const one = await sendPart(s3, UploadId, { PartNumber: 1, Body: Buffer.from("small") });
  const two = await sendPart(s3, UploadId, { PartNumber: 2, Body: Buffer.from("small too") });
  const complete = (Parts: CompletedPart[]) =>
    failure(s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } })));
  expect(await complete([two, one])).toMatchObject({ name: "InvalidPartOrder" });
  expect(await complete([{ ...one, ETag: two.ETag }])).toMatchObject({ name: "InvalidPart" });
  expect(await complete([{ ...one, PartNumber: 9 }])).toMatchObject({ name: "InvalidPart" });
  expect(await complete([one, two])).toMatchObject({ name: "EntityTooSmall" });
  expect((await s3.send(new ListMultipartUploadsCommand({ Bucket: target.Bucket }))).Uploads).toMatchObject([
    { Key: target.Key, UploadId },
  ]);
  expect(await complete([two])).toBeUndefined();
});

test("aborting an upload, or deleting its bucket, leaves no file", async () => {
  const { endpoint, s3, UploadId } = await useUpload();
  await sendPart(s3, UploadId, { PartNumber: 1, Body: Buffer.from("x") });
  await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
  expect(await endpoint.files()).toEqual([]);
  expect(await failure(s3.send(new AbortMultipartUploadCommand({ ...target, UploadId })))).toMatchObject({
    name: "NoSuchUpload",
  });
  const other = await s3.send(new CreateMultipartUploadCommand(target));
  await sendPart(s3, other.UploadId ?? "", { PartNumber: 1, Body: Buffer.from("x") });
  await s3.send(new DeleteBucketCommand({ Bucket: target.Bucket }));
  expect(await endpoint.files()).toEqual([]);
});

test("a part can be copied from a range of another object", async () => {
  const { s3, UploadId } = await useUpload();
  await s3.send(new PutObjectCommand({ Bucket: target.Bucket, Key: "source", Body: "0123456789" }));
  const CopySource = `${target.Bucket}/source`;
  const { CopyPartResult } = await s3.send(
    new UploadPartCopyCommand({ ...target, UploadId, PartNumber: 1, CopySource, CopySourceRange: "bytes=2-4" }),
  );
  await s3.send(
    new CompleteMultipartUploadCommand({
      ...target,
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] },
    }),
  );
  expect(await (await s3.send(new GetObjectCommand(target))).Body?.transformToString()).toBe("234");
});
