import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { policyText } from "../support/account.ts";
import { useDirectory } from "../support/api-endpoint.ts";
import { openControlPlane } from "../support/control-plane.ts";
import { AWS, runProgram } from "../support/project.ts";

/* Published walkthroughs as their readers type them, with a value for each placeholder; what runs inside is tested end to end. */

const TIMEOUT_MS = 240_000;
const ACCOUNT = "123456789012";
const IMAGE_ARN = `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:my-first-image`;
const CONNECTOR = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector";

/** A shell with the AWS CLI and an API, in a folder that holds the walkthrough's files. */
async function useShell() {
  const home = await useDirectory();
  const plane = await openControlPlane({ home: join(home, "home") });
  onTestFinished(() => plane.stop());
  const folder = join(home, "app");
  await mkdir(folder);
  const trust = {
    Effect: "Allow",
    Principal: { Service: "lambda.amazonaws.com" },
    Action: ["sts:AssumeRole", "sts:TagSession"],
  };
  const build = [
    { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::my-bucket/*" },
    { Effect: "Allow", Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], Resource: "*" },
  ];
  await writeFile(join(folder, "trust-policy.json"), policyText(trust));
  await writeFile(join(folder, "build-policy.json"), policyText(...build));
  await writeFile(join(folder, "app.zip"), "a zip");
  const env = {
    PATH: [dirname(AWS), process.env["PATH"]].join(delimiter),
    AWS_ENDPOINT_URL: plane.url,
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: plane.key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: plane.key.secretAccessKey,
    AWS_PAGER: "",
  };
  const type = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await runProgram("bash", ["-euo", "pipefail", "-c", line], { env, cwd: folder });
    expect([line, code, stderr]).toEqual([line, 0, ""]);
    return stdout.trim();
  };
  const typeAll = async (lines: string) => {
    for (const line of lines.trim().split("\n")) await type(line);
  };
  return {
    plane,
    type,
    typeAll,
    json: async (line: string) => JSON.parse(await type(line)) as Record<string, unknown>,
  };
}

const HOOKS =
  '{"port":9000,"microvmImageHooks":{"ready":"ENABLED","readyTimeoutInSeconds":60},"microvmHooks":{"run":"ENABLED","runTimeoutInSeconds":2,"resume":"ENABLED","resumeTimeoutInSeconds":2,"suspend":"ENABLED","suspendTimeoutInSeconds":5,"terminate":"ENABLED","terminateTimeoutInSeconds":5}}';
const BUILD = `--code-artifact uri=s3://my-bucket/app.zip --base-image-arn arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1 --build-role-arn arn:aws:iam::${ACCOUNT}:role/MicroVMBuildRole`;

const PREPARE = `
aws iam create-role --role-name MicroVMBuildRole --assume-role-policy-document file://trust-policy.json
aws iam put-role-policy --role-name MicroVMBuildRole --policy-name MicroVMBuildPolicy --policy-document file://build-policy.json
aws s3 mb s3://my-bucket --region us-east-1
aws s3 cp app.zip s3://my-bucket/app.zip --no-progress`;

test("the commands with hooks and logs work as typed", { timeout: TIMEOUT_MS }, async () => {
  const { plane, type, typeAll, json } = await useShell();
  await typeAll(PREPARE);
  await type(`aws lambda-microvms create-microvm-image --name my-first-image ${BUILD} --hooks '${HOOKS}'`);
  await plane.idle();
  const state = `aws lambda-microvms get-microvm-image --image-identifier ${IMAGE_ARN} --query state --output text`;
  expect(await type(state)).toBe("CREATED");
  const version = `--image-identifier ${IMAGE_ARN} --image-version 1.0`;
  expect(await json(`aws lambda-microvms get-microvm-image-version ${version}`)).toMatchObject({
    hooks: JSON.parse(HOOKS),
  });
  const run = await json(
    `aws lambda-microvms run-microvm ${version} --execution-role-arn arn:aws:iam::${ACCOUNT}:role/MicroVMBuildRole --run-hook-payload '{"tenant":"a"}' --maximum-duration-in-seconds 28800 --logging '{"cloudWatch":{"logGroup":"/aws/lambda-microvms/my-first-image"}}'`,
  );
  expect(run).toMatchObject({ state: "PENDING", imageVersion: "1.0", maximumDurationInSeconds: 28_800 });
  await type(`aws lambda-microvms update-microvm-image --image-identifier ${IMAGE_ARN} ${BUILD}`);
  await plane.idle();
  const inactive = `aws lambda-microvms update-microvm-image-version --image-identifier ${IMAGE_ARN} --image-version 2.0 --status INACTIVE`;
  expect(await json(inactive)).toMatchObject({ status: "INACTIVE", imageVersion: "2.0" });
  expect(await json("aws lambda-microvms list-managed-microvm-images")).toHaveProperty("items");
});

test("the commands of the shell work as typed", { timeout: TIMEOUT_MS }, async () => {
  const { plane, type, typeAll, json } = await useShell();
  await typeAll(PREPARE);
  await type(`aws lambda-microvms create-microvm-image --name my-first-image ${BUILD}`);
  await plane.idle();
  const connectors = `--ingress-network-connectors ${CONNECTOR}:SHELL_INGRESS ${CONNECTOR}:HTTP_INGRESS`;
  const { microvmId } = await json(`aws lambda-microvms run-microvm --image-identifier ${IMAGE_ARN} ${connectors}`);
  const token = await type(
    `aws lambda-microvms create-microvm-shell-auth-token --microvm-identifier ${String(microvmId)} --expiration-in-minutes 15 --query 'authToken."X-aws-proxy-auth"' --output text`,
  );
  expect(token.split(".")).toHaveLength(5);
});
