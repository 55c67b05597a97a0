import { randomBytes } from "node:crypto";
import { eventually } from "./eventually.ts";
import type { AwsCli } from "./aws.ts";

/** Steps that both walkthroughs share, typed as their authors typed them. */

export const BUILD_ROLE = "MicroVMBuildRole";
const BUILD_LIMIT_MS = 900_000;
const STATE_LIMIT_MS = 120_000;

export interface BuiltApp {
  readonly bucket: string;
  readonly imageArn: string;
}

const FILES = {
  counter: "app.py",
  flask: "app.py requirements.txt",
  identity: "app.py requirements.txt",
  webapp: "app.py requirements.txt page.html page.css page.js",
  jupyterlab: "requirements.txt",
  docker: "start.sh count",
} as const;

export interface BuildOptions {
  readonly app: keyof typeof FILES;
  readonly imageName: string;
  readonly region: string;
  /** Further arguments of create-microvm-image. */
  readonly with?: readonly string[];
  /** Told the name of each step when it begins. */
  readonly onStep?: (step: string) => void;
}

/** Role, bucket, zip and image; returns when the image is CREATED. */
export async function buildApp(aws: AwsCli, options: BuildOptions): Promise<BuiltApp> {
  const { region, onStep = () => {} } = options;
  const bucket = `catnap-${randomBytes(6).toString("hex")}`;
  await aws.useApp(options.app, bucket);
  onStep("create the build role");
  await aws.run(
    "iam",
    "create-role",
    "--role-name",
    BUILD_ROLE,
    "--assume-role-policy-document",
    "file://trust-policy.json",
  );
  await aws.run(
    "iam",
    "put-role-policy",
    "--role-name",
    BUILD_ROLE,
    "--policy-name",
    "MicroVMBuildPolicy",
    "--policy-document",
    "file://build-policy.json",
  );
  onStep("upload the zip");
  await aws.run("s3", "mb", `s3://${bucket}`, "--region", region);
  await aws.shell(`zip -q app.zip ${FILES[options.app]} Dockerfile`);
  await aws.run("s3", "cp", "app.zip", `s3://${bucket}/app.zip`);
  onStep("build the image");
  const imageArn = await aws.run(
    "lambda-microvms",
    "create-microvm-image",
    "--name",
    options.imageName,
    "--code-artifact",
    `uri=s3://${bucket}/app.zip`,
    "--base-image-arn",
    `arn:aws:lambda:${region}:aws:microvm-image:al2023-1`,
    "--build-role-arn",
    `arn:aws:iam::123456789012:role/${BUILD_ROLE}`,
    ...(options.with ?? []),
    "--region",
    region,
    "--query",
    "imageArn",
    "--output",
    "text",
  );
  await imageBecomes(aws, imageArn, "CREATED");
  return { bucket, imageArn };
}

export async function imageBecomes(aws: AwsCli, imageArn: string, wanted: string): Promise<void> {
  await eventually(`image ${wanted}`, BUILD_LIMIT_MS, async () => {
    const state = await aws.run(
      "lambda-microvms",
      "get-microvm-image",
      "--image-identifier",
      imageArn,
      "--region",
      regionOf(imageArn),
      "--query",
      "state",
      "--output",
      "text",
    );
    if (state === wanted) return { done: undefined };
    if (!state.endsWith("ING")) throw new Error(`image is ${state}: ${await buildReason(aws, imageArn)}`);
    return { saw: state };
  });
}

export function buildReason(aws: AwsCli, imageArn: string, version = "1.0"): Promise<string> {
  return aws.run(
    "lambda-microvms",
    "list-microvm-image-builds",
    "--image-identifier",
    imageArn,
    "--image-version",
    version,
    "--region",
    regionOf(imageArn),
    "--query",
    "items[0].stateReason",
    "--output",
    "text",
  );
}

export async function microvmBecomes(aws: AwsCli, microvmId: string, wanted: string): Promise<void> {
  await eventually(`microVM ${wanted}`, STATE_LIMIT_MS, async () => {
    const state = await aws.run(
      "lambda-microvms",
      "get-microvm",
      "--microvm-identifier",
      microvmId,
      "--query",
      "state",
      "--output",
      "text",
    );
    return state === wanted ? { done: undefined } : { saw: state };
  });
}

function regionOf(arn: string): string {
  return arn.split(":")[3] ?? "us-east-1";
}
