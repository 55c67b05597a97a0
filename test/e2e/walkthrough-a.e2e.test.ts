import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { AWS } from "../support/project.ts";
import { buildApp, BUILD_ROLE, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "ap-northeast-1";
const CONNECTORS = `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector`;

test("a Flask app is built, run, suspended, woken by a request, and removed, as typed in the walkthrough", async () => {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());

  const { bucket, imageArn } = await buildApp(aws, { app: "flask", imageName: "flask-microvm-demo", region: REGION });
  expect(imageArn).toBe(`arn:aws:lambda:${REGION}:123456789012:microvm-image:flask-microvm-demo`);

  const run = JSON.parse(
    await aws.run(
      "lambda-microvms",
      "run-microvm",
      "--image-identifier",
      imageArn,
      "--ingress-network-connectors",
      `${CONNECTORS}:ALL_INGRESS`,
      "--egress-network-connectors",
      `${CONNECTORS}:INTERNET_EGRESS`,
      "--idle-policy",
      '{"autoResumeEnabled":true,"maxIdleDurationSeconds":900,"suspendedDurationSeconds":300}',
      "--region",
      REGION,
    ),
  ) as { microvmId: string; endpoint: string; state: string; maximumDurationInSeconds: number };
  expect(run).toMatchObject({ state: "PENDING", maximumDurationInSeconds: 28800 });
  expect(run.endpoint).toMatch(/^[0-9a-f-]{36}\.lambda-microvm\.ap-northeast-1\.localhost:\d+$/);
  const id = run.microvmId;

  const token = await aws.run(
    "lambda-microvms",
    "create-microvm-auth-token",
    "--microvm-identifier",
    id,
    "--expiration-in-minutes",
    "30",
    "--allowed-ports",
    '[{"port":8080}]',
    "--region",
    REGION,
    "--query",
    'authToken."X-aws-proxy-auth"',
    "--output",
    "text",
  );
  const curl = `curl -sS "https://${run.endpoint}/" -H "X-aws-proxy-auth: ${token}" -H "X-aws-proxy-port: 8080"`;
  expect(JSON.parse(await aws.shell(curl))).toEqual({ message: "Hello, World!" });

  await aws.run("lambda-microvms", "suspend-microvm", "--microvm-identifier", id);
  await microvmBecomes(aws, id, "SUSPENDED");
  expect(JSON.parse(await aws.shell(curl))).toEqual({ message: "Hello, World!" });
  expect(
    await aws.run("lambda-microvms", "get-microvm", "--microvm-identifier", id, "--query", "state", "--output", "text"),
  ).toBe("RUNNING");

  await aws.run("lambda-microvms", "terminate-microvm", "--microvm-identifier", id);
  await microvmBecomes(aws, id, "TERMINATED");
  const refused = await aws.shell(`${curl} -o /dev/null -w "%{http_code} %header{x-aws-proxy-error}"`);
  expect(refused).toBe("502 MICROVM_CONNECT_FAILED");

  await aws.run("lambda-microvms", "delete-microvm-image", "--image-identifier", imageArn);
  await aws.shell(`${awsProgram()} s3 rm s3://${bucket} --recursive && ${awsProgram()} s3 rb s3://${bucket}`);
  await aws.run("iam", "delete-role-policy", "--role-name", BUILD_ROLE, "--policy-name", "MicroVMBuildPolicy");
  await aws.run("iam", "delete-role", "--role-name", BUILD_ROLE);
});

function awsProgram(): string {
  return JSON.stringify(AWS);
}
