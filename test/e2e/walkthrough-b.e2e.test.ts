import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";
import type { UsageReport } from "../../src/model/usage-report.ts";

interface Served {
  readonly requests_served: number;
  readonly uptime_seconds: number;
  readonly pid: number;
  readonly wall_clock: number;
}

const POLICY = '{"maxIdleDurationSeconds":300,"suspendedDurationSeconds":60,"autoResumeEnabled":true}';

async function useCounterImage() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  await aws.run(
    "iam",
    "create-role",
    "--role-name",
    "MicroVMExecutionRole",
    "--assume-role-policy-document",
    trustPolicy(),
  );
  const { imageArn } = await buildApp(aws, { app: "counter", imageName: "stateful", region: "us-east-1" });
  const runMicrovm = async () => {
    const run = JSON.parse(
      await aws.run(
        "lambda-microvms",
        "run-microvm",
        "--image-identifier",
        imageArn,
        "--execution-role-arn",
        "arn:aws:iam::123456789012:role/MicroVMExecutionRole",
        "--idle-policy",
        POLICY,
      ),
    ) as { microvmId: string; endpoint: string };
    const minted = JSON.parse(
      await aws.run(
        "lambda-microvms",
        "create-microvm-auth-token",
        "--microvm-identifier",
        run.microvmId,
        "--expiration-in-minutes",
        "30",
        "--allowed-ports",
        '[{"allPorts":{}}]',
      ),
    ) as {
      authToken: Record<string, string>;
    };
    const ask = async () =>
      JSON.parse(
        await aws.shell(
          `curl -sS "https://${run.endpoint}/" -H "X-aws-proxy-auth: ${minted.authToken["X-aws-proxy-auth"]}"`,
        ),
      ) as Served;
    return { ...run, ask };
  };
  return { server, aws, imageArn, runMicrovm };
}

function trustPolicy(): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: ["sts:AssumeRole", "sts:TagSession"] },
    ],
  });
}

test("a counter in memory, its process id and its clock go on across suspend, resume, a crash of the server, and down and up", async () => {
  const { server, aws, runMicrovm } = await useCounterImage();
  expect(
    await aws.run("lambda-microvms", "list-managed-microvm-images", "--query", "items[0].imageArn", "--output", "text"),
  ).toBe("arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1");

  const begun = performance.now();
  const one = await runMicrovm();
  for (const expected of [1, 2, 3]) expect((await one.ask()).requests_served).toBe(expected);

  await aws.run("lambda-microvms", "suspend-microvm", "--microvm-identifier", one.microvmId);
  await microvmBecomes(aws, one.microvmId, "SUSPENDED");
  const asleep = Date.now() / 1000;
  await setTimeout(3_000); // time that must show in the guest's clock
  await aws.run("lambda-microvms", "resume-microvm", "--microvm-identifier", one.microvmId);
  await microvmBecomes(aws, one.microvmId, "RUNNING");
  const woken = await one.ask();
  expect(woken).toMatchObject({ requests_served: 4, pid: 1 });
  expect(woken.wall_clock).toBeGreaterThan(asleep + 2.5);
  expect(Math.abs(woken.wall_clock - Date.now() / 1000)).toBeLessThan(5);

  const two = await runMicrovm();
  expect((await two.ask()).requests_served).toBe(1);
  expect((await one.ask()).requests_served).toBe(5);

  await server.crash();
  await server.start();
  expect((await one.ask()).requests_served).toBe(6);
  expect((await two.ask()).requests_served).toBe(2);

  await aws.run("lambda-microvms", "suspend-microvm", "--microvm-identifier", two.microvmId);
  await microvmBecomes(aws, two.microvmId, "SUSPENDED");
  await server.crash();
  await server.start();
  expect((await two.ask()).requests_served).toBe(3);

  await server.down();
  await server.start();
  expect((await one.ask()).requests_served).toBe(7);
  expect((await two.ask()).requests_served).toBe(4);

  for (const { microvmId } of [one, two]) {
    await aws.run("lambda-microvms", "terminate-microvm", "--microvm-identifier", microvmId);
    await microvmBecomes(aws, microvmId, "TERMINATED");
  }
  const report = JSON.parse(await server.catnap("usage", "--json")) as UsageReport;
  expect(report.microvms.map(({ microvmId }) => microvmId)).toEqual([one.microvmId, two.microvmId]);
  for (const { usage, cost } of report.microvms) {
    // 1 vCPU: a second of its life, through crashes and sleeps, is never counted twice
    expect(usage.baselineVcpuSeconds).toBeLessThan((performance.now() - begun) / 1000);
    expect(usage.baselineGbSeconds).toBeCloseTo(2 * usage.baselineVcpuSeconds, 6);
    for (const item of ["baselineVcpuSeconds", "snapshotReadGb", "snapshotWrittenGb", "storageGbHours"] as const)
      expect(usage[item]).toBeGreaterThan(0);
    expect(cost.total).toBeGreaterThan(0);
  }
  const table = await server.catnap("usage", "--by", "image");
  expect(table.split("\n")[1]).toMatch(/:microvm-image:stateful .* \d\.\d{6}$/);
});
