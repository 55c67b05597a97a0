import { readdir } from "node:fs/promises";
import { Readable } from "node:stream";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { useDirectory } from "../../../test/support/api-endpoint.ts";
import { useS3 } from "../../../test/support/s3-endpoint.ts";
import { DiskReserve } from "../../util/disk-reserve.ts";
import { createObjectFiles } from "./object-files.ts";

function useDisk() {
  const space = { totalMiB: 10_000, freeMiB: 5000 };
  return { space, disk: new DiskReserve({ directory: "/none", reserveMiB: 1000, readSpace: async () => space }) };
}

const IN_BOX = { Bucket: "box", Key: "k" };

test("a disk below its reserve takes no more objects, and hands out those that it has", async () => {
  const { space, disk } = useDisk();
  const { client, files } = await useS3({ disk });
  const s3 = client();
  await s3.send(new CreateBucketCommand(IN_BOX));
  await s3.send(new PutObjectCommand({ ...IN_BOX, Body: "kept" }));
  const kept = await files();
  space.freeMiB = 999;
  await expect(s3.send(new PutObjectCommand({ ...IN_BOX, Body: "too much" }))).rejects.toMatchObject({
    name: "InsufficientStorage",
    message: expect.stringMatching(/^The disk of this host is full: 999 MiB are free/),
    $metadata: { httpStatusCode: 507 },
  });
  expect(await files()).toEqual(kept);
  expect(await (await s3.send(new GetObjectCommand(IN_BOX))).Body?.transformToString()).toBe("kept");
});

test("an upload that the disk has no room for is broken off and leaves nothing", async () => {
  const { space, disk } = useDisk();
  const directory = await useDirectory();
  const files = createObjectFiles(directory, disk);
  const body = new Readable({ read() {} });
  body.push("the beginning");
  const written = files.write(body, { algorithm: "CRC64NVME" });
  space.freeMiB = 10;
  await expect(written).rejects.toMatchObject({ shape: "InsufficientStorage" });
  expect(await readdir(directory)).toEqual([]);
});
