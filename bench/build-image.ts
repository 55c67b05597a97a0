import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { buffer } from "node:stream/consumers";
import {
  CreateMicrovmImageCommand,
  GetMicrovmImageCommand,
  type LambdaMicrovmsClient,
} from "@aws-sdk/client-lambda-microvms";
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ZipFile } from "yazl";
import type { ClientSettings } from "../src/cli/client-settings.ts";

const BUCKET = "bench-artifacts";
const ROLE = "BenchBuildRole";
const POLL_MS = 100;

/** The role that builds run with and the bucket of their zips. */
export async function prepareBuilds(settings: ClientSettings): Promise<void> {
  const iam = new IAMClient(settings);
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  try {
    const trust = allow({
      Principal: { Service: "lambda.amazonaws.com" },
      Action: ["sts:AssumeRole", "sts:TagSession"],
    });
    await iam.send(new CreateRoleCommand({ RoleName: ROLE, AssumeRolePolicyDocument: trust }));
    const policy = allow({ Action: ["s3:GetObject", "logs:*"], Resource: "*" });
    await iam.send(new PutRolePolicyCommand({ RoleName: ROLE, PolicyName: "build", PolicyDocument: policy }));
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  } finally {
    iam.destroy();
    s3.destroy();
  }
}

/** Builds an image from a directory with a Dockerfile; resolves with its ARN once it is CREATED. */
export async function buildImage(
  client: LambdaMicrovmsClient,
  settings: ClientSettings,
  { name, directory, extra }: { name: string; directory: string; extra: Record<string, string> },
): Promise<string> {
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const Key = `${name}.zip`;
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: await zip(directory, extra) }));
  s3.destroy();
  const { imageArn: imageIdentifier = "" } = await client.send(
    new CreateMicrovmImageCommand({
      name,
      codeArtifact: { uri: `s3://${BUCKET}/${Key}` },
      baseImageArn: `arn:aws:lambda:${settings.region}:aws:microvm-image:al2023-1`,
      buildRoleArn: `arn:aws:iam::123456789012:role/${ROLE}`,
    }),
  );
  for (;;) {
    const { state } = await client.send(new GetMicrovmImageCommand({ imageIdentifier }));
    if (state === "CREATED") return imageIdentifier;
    if (!state?.endsWith("ING")) throw new Error(`The image ${name} is ${state}; its build.log in the home says why`);
    await setTimeout(POLL_MS);
  }
}

function allow(statement: object): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
}

async function zip(directory: string, extra: Record<string, string>): Promise<Buffer> {
  const archive = new ZipFile();
  for (const name of await readdir(directory))
    if (!name.endsWith("-policy.json") && name !== "__pycache__" && !(name in extra))
      archive.addFile(join(directory, name), name);
  for (const [name, content] of Object.entries(extra)) archive.addBuffer(Buffer.from(content), name);
  archive.end();
  return buffer(archive.outputStream);
}
