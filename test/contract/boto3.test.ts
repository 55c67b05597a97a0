import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { useDirectory } from "../support/api-endpoint.ts";
import { openControlPlane } from "../support/control-plane.ts";
import { PROJECT, runProgram } from "../support/project.ts";

const PYTHON = join(PROJECT, ".cache/python-clients/bin/python");
const CHECKS = [
  "identity",
  "roles",
  "s3_files",
  "s3_objects",
  "images",
  "paginators",
  "errors",
  "microvms",
  "tags",
  "connectors",
  "the_end",
];

test.skipIf(!existsSync(PYTHON))("boto3 makes its way through every service", { timeout: 180_000 }, async () => {
  const plane = await openControlPlane({ home: join(await useDirectory(), "home") });
  onTestFinished(() => plane.stop());
  const env = {
    AWS_ENDPOINT_URL: plane.url,
    AWS_ACCESS_KEY_ID: plane.key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: plane.key.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const { stdout, stderr, code } = await runProgram(PYTHON, [join(import.meta.dirname, "boto3_flow.py")], { env });
  expect(stderr).toBe("");
  expect([code, stdout.trim().split("\n")]).toEqual([0, CHECKS]);
});
