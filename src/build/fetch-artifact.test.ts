import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { AccessDecision, AccessRequest } from "../auth/authorizer.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import { BuildLog } from "./build-log.ts";
import { fetchArtifact, parseS3Uri } from "./fetch-artifact.ts";
import type { BuildRequest } from "./image-builder.ts";

const REQUEST: BuildRequest = {
  buildId: "build-1",
  logFile: "/none/build.log",
  architectures: [],
  egress: { kind: "internet" as const },
  imageName: "app",
  imageArn: "arn:aws:lambda:us-east-1:123456789012:microvm-image:app",
  imageVersion: "1.0",
  accountId: "123456789012",
  region: "us-east-1",
  artifactUri: "s3://bucket/folder/app.zip",
  buildRoleArn: "arn:aws:iam::123456789012:role/Build",
  memoryMiB: 512,
  environment: {},
  allCapabilities: false,
  directory: "/nonexistent",
};

interface World {
  readonly decision?: AccessDecision;
  readonly missing?: "bucket" | "key" | "permission";
  readonly signal?: AbortSignal;
}

async function fetch({ decision = { allowed: true }, missing, signal = new AbortController().signal }: World) {
  const folder = await mkdtemp(join(tmpdir(), "catnap-fetch-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const asked: AccessRequest[] = [];
  const log = new BuildLog(join(folder, "build.log"));
  const authorizer = {
    authorize: async (request: AccessRequest) => {
      asked.push(request);
      return decision;
    },
  };
  const objects = {
    open: async () => (missing ? { missing } : { size: 3, body: Readable.from([Buffer.from("zip")]) }),
  };
  const into = join(folder, "a.zip");
  await fetchArtifact({ authorizer, objects, log, signal }, REQUEST, into).finally(() => log.close());
  return { asked, content: await readFile(into, "utf8") };
}

test("the object is read once the build role may", async () => {
  const { asked, content } = await fetch({});
  expect(content).toBe("zip");
  expect(asked).toMatchObject([
    { roleArn: REQUEST.buildRoleArn, action: "s3:GetObject", resource: "arn:aws:s3:::bucket/folder/app.zip" },
  ]);
});

test.each([
  [
    "S3_ACCESS_DENIED",
    { decision: { allowed: false, why: "no statement allows it" } },
    /role\/Build may not read .*no statement allows it/,
  ],
  ["S3_NO_SUCH_BUCKET", { missing: "bucket" }, /bucket/],
  ["S3_ACCESS_DENIED", { missing: "permission" }, /bucket bucket belongs to another account/],
  ["S3_NO_SUCH_KEY", { missing: "key" }, /folder\/app\.zip/],
] as const)("%s is told with what was missing", async (failureCode, world, words) => {
  const fetching = fetch(world);
  await expect(fetching).rejects.toMatchObject({ failureCode });
  await expect(fetching).rejects.toThrow(words);
});

test("a cancelled build stops reading", async () => {
  await expect(fetch({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
});

test("any key survives the URI, anything else is refused as such", () => {
  expect(parseS3Uri("s3://b/a//b c/ü.zip")).toEqual({ bucket: "b", key: "a//b c/ü.zip" });
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        const { bucket, key } = parseS3Uri(text);
        expect(`s3://${bucket}/${key}`).toBe(text);
      } catch (error) {
        expect(error).toBeInstanceOf(BuildFailure);
      }
    }),
  );
});
