import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { AWS } from "../support/project.ts";
import { BUILD_ROLE, imageBecomes, microvmBecomes } from "../support/walkthrough.ts";

const GROUP = "/aws/lambda-microvms/my-first-image";
/** The walkthrough's, with more patience in its hooks: an emulator beside other work is slow. */
const HOOKS =
  '{"port":9000,"microvmImageHooks":{"ready":"ENABLED","readyTimeoutInSeconds":60},"microvmHooks":{"run":"ENABLED","runTimeoutInSeconds":20,"resume":"ENABLED","resumeTimeoutInSeconds":20,"suspend":"ENABLED","suspendTimeoutInSeconds":20,"terminate":"ENABLED","terminateTimeoutInSeconds":20}}';
/** Where Debian puts its version 2. */
const DISTRIBUTION_AWS = "/usr/bin/aws";
const TAIL_LIMIT_MS = 120_000;

async function useAws() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  return { server, aws };
}

/**
 * `aws logs tail` is of version 2; with version 1 the same is asked for again and again. Started anew when the server goes
 * away, what was shown before is left out: its lines have their times, so that an event delivered twice would show.
 */
function tailCommand(): string {
  const query = "--query 'events[].[timestamp,message]' --output text";
  const command = existsSync(DISTRIBUTION_AWS)
    ? `${DISTRIBUTION_AWS} --endpoint-url "$AWS_ENDPOINT_URL" logs tail ${GROUP} --follow --since 1h`
    : `${AWS} logs filter-log-events --log-group-name ${GROUP} ${query}`;
  return `while :; do ${command}; sleep 1; done`;
}

/** What `aws logs tail GROUP --follow` has printed so far. */
function followGroup(env: Record<string, string>) {
  const tail = spawn("bash", ["-c", tailCommand()], {
    env: { ...process.env, ...env, PYTHONUNBUFFERED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let printed = "";
  for (const stream of [tail.stdout, tail.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const ended = once(tail, "close");
  onTestFinished(async () => {
    process.kill(-(tail.pid ?? 0), "SIGKILL"); // the loop's commands too
    await ended;
  });
  const count = (wanted: RegExp) => [...new Set(printed.split("\n"))].filter((line) => wanted.test(line)).length;
  const shows = (wanted: RegExp, times = 1) =>
    eventually(`the tail shows ${String(wanted)}`, TAIL_LIMIT_MS, async () =>
      count(wanted) >= times ? { done: undefined } : { saw: printed.slice(-2000) },
    );
  return { shows, count };
}

test("hooks, a role and a log group: the tail shows the build and the application", async () => {
  const { server, aws } = await useAws();
  const bucket = `catnap-${randomBytes(6).toString("hex")}`;
  await aws.useApp("hooks", bucket);
  await aws.shell(
    [
      `aws iam create-role --role-name ${BUILD_ROLE} --assume-role-policy-document file://trust-policy.json`,
      `aws iam put-role-policy --role-name ${BUILD_ROLE} --policy-name Build --policy-document file://build-policy.json`,
      "aws iam create-role --role-name Execution --assume-role-policy-document file://trust-policy.json",
      "aws iam put-role-policy --role-name Execution --policy-name Logs --policy-document file://build-policy.json",
      `aws s3 mb s3://${bucket} && zip -q app.zip app.py Dockerfile && aws s3 cp app.zip s3://${bucket}/app.zip`,
    ].join(" && "),
  );
  const source = `--code-artifact uri=s3://${bucket}/app.zip --base-image-arn arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1 --build-role-arn arn:aws:iam::123456789012:role/${BUILD_ROLE} --hooks '${HOOKS}'`;
  const imageArn = await aws.shell(
    `aws lambda-microvms create-microvm-image --name my-first-image ${source} --query imageArn --output text`,
  );
  await eventually("the log group is made", TAIL_LIMIT_MS, async () => {
    const names = await aws.shell(`aws logs describe-log-groups --query 'logGroups[].logGroupName' --output text`);
    return names === GROUP ? { done: undefined } : { saw: names };
  });
  const tail = followGroup(server.clientEnv());
  await tail.shows(/RUN dnf install/i);
  expect(await stateOf(aws, imageArn)).toBe("CREATING"); // while it runs, not afterwards
  await imageBecomes(aws, imageArn, "CREATED");
  await tail.shows(/app \| hook ready answers 200/);

  const run = JSON.parse(
    await aws.shell(
      `aws lambda-microvms run-microvm --image-identifier ${imageArn} --image-version 1.0 --execution-role-arn arn:aws:iam::123456789012:role/Execution --run-hook-payload hello --maximum-duration-in-seconds 28800 --logging '{"cloudWatch":{"logGroup":"${GROUP}"}}'`,
    ),
  ) as { microvmId: string; endpoint: string };
  const id = `--microvm-identifier ${run.microvmId}`;
  await tail.shows(/microvm-\S+ hook run answers 200/);
  await aws.shell(`aws lambda-microvms suspend-microvm ${id}`);
  await microvmBecomes(aws, run.microvmId, "SUSPENDED");
  await aws.shell(`aws lambda-microvms resume-microvm ${id}`);
  await tail.shows(/microvm-\S+ hook resume answers 200/);
  await server.crash();
  await server.start();
  await aws.shell(`aws lambda-microvms suspend-microvm ${id}`);
  await microvmBecomes(aws, run.microvmId, "SUSPENDED");
  await aws.shell(`aws lambda-microvms resume-microvm ${id}`);
  await microvmBecomes(aws, run.microvmId, "RUNNING"); // a sleeper's hook is not called at its end
  await tail.shows(/microvm-\S+ hook suspend answers 200/, 2); // its last words before a sleep may come after it
  await aws.shell(`aws lambda-microvms terminate-microvm ${id}`);
  await microvmBecomes(aws, run.microvmId, "TERMINATED");
  await tail.shows(/microvm-\S+ hook terminate answers 200/);
  // The build's own lines are not the microVM's, and nothing came twice.
  expect([tail.count(/microvm-\S+ hook run answers/), tail.count(/microvm-\S+ hook ready answers/)]).toEqual([1, 0]);
  const day = new Date().toISOString().slice(0, 8).replaceAll("-", "/");
  const streams = await aws.shell(
    `aws logs describe-log-streams --log-group-name ${GROUP} --query 'logStreams[].logStreamName' --output text`,
  );
  expect(streams.split("\t").toSorted()).toEqual([
    expect.stringContaining(day),
    expect.stringMatching(new RegExp(`\\[1\\.0\\]${run.microvmId}$`)),
  ]);

  await aws.shell(`aws lambda-microvms update-microvm-image --image-identifier ${imageArn} ${source}`);
  await imageBecomes(aws, imageArn, "UPDATED");
  await aws.shell(
    `aws lambda-microvms update-microvm-image-version --image-identifier ${imageArn} --image-version 1.0 --status INACTIVE`,
  );
  const refused = await aws.attempt(
    "lambda-microvms",
    "run-microvm",
    "--image-identifier",
    imageArn,
    "--image-version",
    "1.0",
  );
  expect(refused.stderr).toMatch(/\(ValidationException|ResourceNotFoundException|ConflictException\)/);
});

function stateOf(aws: AwsCli, imageArn: string): Promise<string> {
  return aws.shell(`aws lambda-microvms get-microvm-image --image-identifier ${imageArn} --query state --output text`);
}
