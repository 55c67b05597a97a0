import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { TEST_KEY, useDirectory } from "../support/api-endpoint.ts";
import { useS3 } from "../support/s3-endpoint.ts";

const run = promisify(execFile);
const PROJECT_CLI = fileURLToPath(new URL("../../.cache/awscli/bin/aws", import.meta.url));
const CLI = existsSync(PROJECT_CLI)
  ? PROJECT_CLI
  : (process.env["PATH"] ?? "")
      .split(":")
      .map((each) => join(each, "aws"))
      .find(existsSync);
const TIMEOUT_MS = 240_000;
const needed = { skip: CLI === undefined, timeout: TIMEOUT_MS };
if (CLI === undefined) console.warn("SKIPPED: the AWS CLI is missing; run ./dev setup");

async function useCli(): Promise<{
  aws: (...args: string[]) => Promise<string>;
  directory: string;
  files: () => Promise<string[]>;
}> {
  const { url, files } = await useS3();
  const directory = await useDirectory();
  const env = {
    PATH: process.env["PATH"],
    HOME: directory,
    AWS_ENDPOINT_URL: url,
    AWS_REGION: "ap-northeast-1",
    AWS_DEFAULT_REGION: "ap-northeast-1",
    AWS_ACCESS_KEY_ID: TEST_KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: TEST_KEY.secretAccessKey,
    AWS_MAX_ATTEMPTS: "1",
  };
  const aws = async (...args: string[]) => (await run(CLI ?? "aws", args, { env, cwd: directory })).stdout;
  return { aws, directory, files };
}

test("the AWS CLI makes a bucket, copies both ways, lists, and removes all of it", needed, async () => {
  const { aws, directory, files } = await useCli();
  await aws("s3", "mb", "s3://cli-bucket");
  const small = join(directory, "app.zip");
  const big = join(directory, "big.bin");
  await writeFile(small, "zip");
  await writeFile(big, randomBytes(20 * 1024 ** 2));
  await aws("s3", "cp", small, "s3://cli-bucket/app.zip");
  await aws("s3", "cp", big, "s3://cli-bucket/dir ü/big.bin");
  expect(await aws("s3", "ls")).toContain("cli-bucket");
  expect(await aws("s3", "ls", "s3://cli-bucket")).toMatch(/PRE dir ü\/[^]*3 app\.zip/);
  await aws("s3", "cp", "s3://cli-bucket/dir ü/big.bin", join(directory, "back.bin"));
  expect((await readFile(join(directory, "back.bin"))).equals(await readFile(big))).toBe(true);
  await aws("s3", "cp", "s3://cli-bucket/dir ü/big.bin", "s3://cli-bucket/copy.bin");
  expect(
    await aws("s3api", "head-object", "--bucket", "cli-bucket", "--key", "copy.bin", "--query", "ContentLength"),
  ).toBe(`${20 * 1024 ** 2}\n`);
  await expect(aws("s3", "rb", "s3://cli-bucket")).rejects.toThrow(/BucketNotEmpty/);
  await aws("s3", "rm", "s3://cli-bucket", "--recursive");
  await aws("s3", "rb", "s3://cli-bucket");
  expect(await aws("s3", "ls")).toBe("");
  expect(await files()).toEqual([]);
});

test("the AWS CLI synchronizes a directory", needed, async () => {
  const { aws, directory } = await useCli();
  await mkdir(join(directory, "in/sub"), { recursive: true });
  await writeFile(join(directory, "in/a.txt"), "a");
  await writeFile(join(directory, "in/sub/b c.txt"), "b");
  await aws("s3", "mb", "s3://sync-bucket");
  await aws("s3", "sync", "in", "s3://sync-bucket/x");
  expect(await aws("s3", "sync", "in", "s3://sync-bucket/x")).toBe("");
  await aws("s3", "sync", "s3://sync-bucket/x", "out");
  expect(await readFile(join(directory, "out/sub/b c.txt"), "utf8")).toBe("b");
  await aws("s3", "rb", "s3://sync-bucket", "--force");
});

test("a presigned link serves its object to anybody", needed, async () => {
  const { aws, directory } = await useCli();
  await writeFile(join(directory, "f"), "linked");
  await aws("configure", "set", "default.s3.signature_version", "s3v4"); // version 1 of the CLI still signs links the old way
  await aws("s3", "mb", "s3://link-bucket");
  await aws("s3", "cp", "f", "s3://link-bucket/f +ü");
  const link = (await aws("s3", "presign", "s3://link-bucket/f +ü")).trim();
  expect(await (await fetch(link)).text()).toBe("linked");
  expect((await fetch(link.replace(/.$/, (last) => (last === "0" ? "1" : "0")))).status).toBe(403);
});
