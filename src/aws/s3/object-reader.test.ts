import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { TEST_ACCOUNT } from "../../../test/support/api-endpoint.ts";
import { useS3 } from "../../../test/support/s3-endpoint.ts";
import { createObjectReader } from "./object-reader.ts";
import { sweepObjectFiles } from "./s3-service.ts";

test("other modules read objects, and learn what is missing", async () => {
  const { client, store, objectsDirectory } = await useS3();
  const s3 = client();
  await s3.send(new CreateBucketCommand({ Bucket: "a-bucket" }));
  await s3.send(new PutObjectCommand({ Bucket: "a-bucket", Key: "k", Body: "hello" }));
  const reader = createObjectReader({ store, objectsDirectory });
  const opened = await reader.open({ accountId: TEST_ACCOUNT, bucket: "a-bucket", key: "k" });
  if ("missing" in opened) throw new Error(opened.missing);
  expect([opened.size, opened.etag, opened.region, await text(opened.body)]).toEqual([
    5,
    "5d41402abc4b2a76b9719d911017c592",
    "us-east-1",
    "hello",
  ]);
  expect(await reader.open({ accountId: TEST_ACCOUNT, bucket: "a-bucket", key: "none" })).toEqual({ missing: "key" });
  expect(await reader.open({ accountId: TEST_ACCOUNT, bucket: "none", key: "k" })).toEqual({ missing: "bucket" });
  const stranger = { accountId: "999999999999", bucket: "a-bucket", key: "k" };
  expect(await reader.open(stranger)).toEqual({ missing: "permission" });
});

test("the sweep removes what a crash left, and only that", async () => {
  const { client, store, objectsDirectory } = await useS3();
  const s3 = client();
  await s3.send(new CreateBucketCommand({ Bucket: "a-bucket" }));
  await s3.send(new PutObjectCommand({ Bucket: "a-bucket", Key: "k", Body: "hello" }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: "a-bucket", Key: "m" }));
  await s3.send(new UploadPartCommand({ Bucket: "a-bucket", Key: "m", UploadId, PartNumber: 1, Body: "part" }));
  const known = await readdir(objectsDirectory);
  expect(known).toHaveLength(2);
  await writeFile(join(objectsDirectory, "half.new"), "x");
  await writeFile(join(objectsDirectory, "unknown"), "x");
  await sweepObjectFiles({ store, objectsDirectory });
  expect((await readdir(objectsDirectory)).toSorted()).toEqual(known.toSorted());
});
