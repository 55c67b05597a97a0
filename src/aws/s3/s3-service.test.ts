import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type ChecksumAlgorithm,
  type S3Client,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { useS3 } from "../../../test/support/s3-endpoint.ts";

const Bucket = "a-bucket";

async function useBucket(
  config: Parameters<Awaited<ReturnType<typeof useS3>>["client"]>[0] = {},
): Promise<{ s3: S3Client; endpoint: Awaited<ReturnType<typeof useS3>> }> {
  const endpoint = await useS3();
  const s3 = endpoint.client(config);
  await s3.send(new CreateBucketCommand({ Bucket }));
  return { s3, endpoint };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("buckets are made, listed, found and deleted when empty", async () => {
  const { s3 } = await useBucket();
  await s3.send(new CreateBucketCommand({ Bucket }));
  expect((await s3.send(new ListBucketsCommand({}))).Buckets).toMatchObject([
    { Name: Bucket, CreationDate: expect.any(Date) },
  ]);
  expect(await s3.send(new HeadBucketCommand({ Bucket }))).toMatchObject({ BucketRegion: "us-east-1" });
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  expect(await failure(s3.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
    name: "BucketNotEmpty",
    $metadata: { httpStatusCode: 409 },
  });
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  await s3.send(new DeleteBucketCommand({ Bucket }));
  expect(await failure(s3.send(new HeadBucketCommand({ Bucket })))).toMatchObject({
    name: "NotFound",
    $metadata: { httpStatusCode: 404 },
  });
});

test("a bucket outside us-east-1 names its region, and making it twice is an error", async () => {
  const endpoint = await useS3();
  const s3 = endpoint.client({ region: "ap-northeast-1" });
  const create = () =>
    s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "ap-northeast-1" } }));
  await create();
  expect(await s3.send(new GetBucketLocationCommand({ Bucket }))).toMatchObject({
    LocationConstraint: "ap-northeast-1",
  });
  expect(await failure(create())).toMatchObject({ name: "BucketAlreadyOwnedByYou" });
  const misplaced = new CreateBucketCommand({
    Bucket: "other-bucket",
    CreateBucketConfiguration: { LocationConstraint: "eu-west-1" },
  });
  expect(await failure(s3.send(misplaced))).toMatchObject({ name: "IllegalLocationConstraintException" });
  expect(await failure(s3.send(new CreateBucketCommand({ Bucket: "Not_Valid" })))).toMatchObject({
    name: "InvalidBucketName",
  });
});

test.each([
  ["path-style", true],
  ["virtual-host", false],
])("an object comes back as it was put, %s", async (_name, forcePathStyle) => {
  const endpoint = await useS3();
  const s3 = endpoint.client({ forcePathStyle, endpoint: `http://localhost:${endpoint.port}` });
  await s3.send(new CreateBucketCommand({ Bucket }));
  const Key = "a dir//ü+%25 &=?#(1)'*!~/€😀";
  const Expires = new Date("2030-01-02T03:04:05Z");
  const headers = {
    ContentType: "text/x",
    CacheControl: "no-store",
    ContentDisposition: "attachment",
    ContentEncoding: "gzip",
    ContentLanguage: "de",
    Metadata: { a: "1", "b-c": "two  words" },
  };
  const put = await s3.send(new PutObjectCommand({ Bucket, Key, Body: "hello", Expires, ...headers }));
  const ETag = `"${createHash("md5").update("hello").digest("hex")}"`;
  expect(put).toMatchObject({ ETag, ChecksumCRC32: "NhCmhg==" });
  const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
  expect(await got.Body?.transformToString()).toBe("hello");
  expect(got).toMatchObject({
    ETag,
    ContentLength: 5,
    LastModified: expect.any(Date),
    ...headers,
  });
  expect(await s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }))).toMatchObject({
    ETag,
    ChecksumCRC32: "NhCmhg==",
    ChecksumType: "FULL_OBJECT",
  });
  expect((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents).toMatchObject([{ Key, Size: 5, ETag }]);
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  expect(await failure(s3.send(new GetObjectCommand({ Bucket, Key })))).toBeInstanceOf(NoSuchKey);
  expect(await endpoint.files()).toEqual([]);
});

test.each(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] satisfies ChecksumAlgorithm[])(
  "a streamed upload is checked by its %s trailer",
  async (ChecksumAlgorithm) => {
    const { s3 } = await useBucket();
    const bytes = Buffer.alloc(300_000, "abc");
    const Body = Readable.from([bytes.subarray(0, 100_001), bytes.subarray(100_001)]);
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body, ContentLength: bytes.length, ChecksumAlgorithm }));
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(bytes);
    expect(got[`Checksum${ChecksumAlgorithm}`]).toEqual(expect.any(String));
  },
);

test("a wrong checksum or digest leaves nothing behind", async () => {
  const { s3, endpoint } = await useBucket();
  const put = (more: object) => failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "hello", ...more })));
  expect(await put({ ChecksumCRC32: "AAAAAA==" })).toMatchObject({ name: "BadDigest" });
  expect(await put({ ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" })).toMatchObject({ name: "BadDigest" });
  expect(await put({ ContentMD5: "no" })).toMatchObject({ name: "InvalidDigest" });
  expect(await endpoint.files()).toEqual([]);
  expect((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
});

test("replacing an object keeps one file", async () => {
  const { s3, endpoint } = await useBucket();
  for (const Body of ["one", "two"]) await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body }));
  expect(await (await s3.send(new GetObjectCommand({ Bucket, Key: "k" }))).Body?.transformToString()).toBe("two");
  expect(await endpoint.files()).toHaveLength(1);
});

test("an empty object has no bytes", async () => {
  const { s3 } = await useBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: new Uint8Array() }));
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "k" }));
  expect([got.ContentLength, await got.Body?.transformToString()]).toEqual([0, ""]);
});

test("ranges answer parts of an object", async () => {
  const { s3 } = await useBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "0123456789" }));
  const read = async (Range: string) => {
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "k", Range }));
    return [got.$metadata.httpStatusCode, await got.Body?.transformToString(), got.ContentRange];
  };
  expect(await read("bytes=2-4")).toEqual([206, "234", "bytes 2-4/10"]);
  expect(await read("bytes=-3")).toEqual([206, "789", "bytes 7-9/10"]);
  expect(await read("bytes=8-100")).toEqual([206, "89", "bytes 8-9/10"]);
  expect(await read("bytes=0-1,4-5")).toEqual([200, "0123456789", undefined]);
  expect(await failure(read("bytes=10-"))).toMatchObject({ name: "InvalidRange", $metadata: { httpStatusCode: 416 } });
});

test("conditions decide whether an object is read or written", async () => {
  const { s3 } = await useBucket();
  const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const get = (more: object) => failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", ...more })));
  expect(await get({ IfMatch: ETag })).toBeUndefined();
  expect(await get({ IfMatch: '"other"' })).toMatchObject({ name: "PreconditionFailed" });
  expect(await get({ IfNoneMatch: ETag })).toMatchObject({ $metadata: { httpStatusCode: 304 } });
  expect(await get({ IfModifiedSince: new Date(Date.now() + 60_000) })).toMatchObject({
    $metadata: { httpStatusCode: 304 },
  });
  expect(await get({ IfUnmodifiedSince: new Date(0) })).toMatchObject({ name: "PreconditionFailed" });
  const put = (more: object) => failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "y", ...more })));
  expect(await put({ IfNoneMatch: "*" })).toMatchObject({
    name: "PreconditionFailed",
    $metadata: { httpStatusCode: 412 },
  });
  expect(await put({ IfMatch: '"other"' })).toMatchObject({ name: "PreconditionFailed" });
  expect(await put({ IfMatch: ETag })).toBeUndefined();
});

test("copies keep or replace metadata", async () => {
  const { s3 } = await useBucket();
  const Key = "from ü+/x";
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "x", Metadata: { a: "1" }, ContentType: "text/a" }));
  const CopySource = `${Bucket}/${encodeURIComponent(Key)}`;
  expect((await s3.send(new CopyObjectCommand({ Bucket, Key: "to", CopySource }))).CopyObjectResult).toMatchObject({
    ETag: expect.any(String),
    LastModified: expect.any(Date),
  });
  expect(await s3.send(new HeadObjectCommand({ Bucket, Key: "to" }))).toMatchObject({
    Metadata: { a: "1" },
    ContentType: "text/a",
  });
  await s3.send(
    new CopyObjectCommand({ Bucket, Key: "to", CopySource, MetadataDirective: "REPLACE", Metadata: { b: "2" } }),
  );
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: "to" }))).Metadata).toEqual({ b: "2" });
  expect(
    await failure(s3.send(new CopyObjectCommand({ Bucket, Key: "to", CopySource: `${Bucket}/to` }))),
  ).toMatchObject({ name: "InvalidRequest" });
  expect(
    await failure(s3.send(new CopyObjectCommand({ Bucket, Key: "to", CopySource: `${Bucket}/none` }))),
  ).toMatchObject({ name: "NoSuchKey" });
});

test("many keys are deleted in one call, missing ones included", async () => {
  const { s3, endpoint } = await useBucket();
  for (const Key of ["a", "b & <c>"]) await s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  const answer = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "a" }, { Key: "b & <c>" }, { Key: "none" }] } }),
  );
  expect(answer.Deleted).toEqual([{ Key: "a" }, { Key: "b & <c>" }, { Key: "none" }]);
  expect(await endpoint.files()).toEqual([]);
});

test("listings page through keys and common prefixes in byte order", async () => {
  const { s3 } = await useBucket();
  for (const Key of ["a/1", "a/2", "b", "c/1", "d", "😀", "\uffee"])
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: new Uint8Array() }));
  const seen: (string | undefined)[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/", MaxKeys: 2, ContinuationToken }));
    expect(page.KeyCount).toBeLessThanOrEqual(2);
    seen.push(
      ...(page.CommonPrefixes ?? []).map((each) => each.Prefix),
      ...(page.Contents ?? []).map((each) => each.Key),
    );
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  expect(seen).toEqual(["a/", "b", "c/", "d", "\uffee", "😀"]);
  const first = await s3.send(new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys: 1 }));
  expect(first).toMatchObject({ IsTruncated: true, NextMarker: "a/", CommonPrefixes: [{ Prefix: "a/" }] });
  const second = await s3.send(
    new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys: 1, Marker: first.NextMarker }),
  );
  expect(second.Contents).toMatchObject([{ Key: "b" }]);
  expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a/", StartAfter: "a/1" }))).Contents).toMatchObject(
    [{ Key: "a/2" }],
  );
  const encoded = await s3.send(new ListObjectsV2Command({ Bucket, EncodingType: "url", Prefix: "😀" }));
  expect(encoded.Contents).toMatchObject([{ Key: "%F0%9F%98%80" }]);
});

test("what is not there and what is not built say so", async () => {
  const { s3 } = await useBucket();
  expect(await failure(s3.send(new GetObjectCommand({ Bucket: "no-such-bucket", Key: "k" })))).toMatchObject({
    name: "NoSuchBucket",
  });
  expect(await failure(s3.send(new GetBucketAclCommand({ Bucket })))).toMatchObject({
    name: "NotImplemented",
    $metadata: { httpStatusCode: 501 },
  });
  expect(
    await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k".repeat(1025), Body: new Uint8Array() }))),
  ).toMatchObject({
    name: "KeyTooLongError",
  });
  expect(
    await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: new Uint8Array(), ACL: "public-read" }))),
  ).toMatchObject({ name: "AccessControlListNotSupported" });
});
