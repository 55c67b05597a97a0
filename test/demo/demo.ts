import { performance } from "node:perf_hooks";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

/** The main job on a real app, with the real AWS CLI and curl: each step said and timed; fails if any step does. */

const REGION = "us-east-1";
const timings: { step: string; ms: number; note: string }[] = [];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function step<T>(name: string, note: string, work: () => Promise<T>): Promise<T> {
  say(`▸ ${name}`);
  const ticker = setInterval(() => say(`  … ${name}, ${Math.round((performance.now() - begun) / 1000)} s`), 5_000);
  const begun = performance.now();
  try {
    const result = await work();
    timings.push({ step: name, ms: performance.now() - begun, note });
    return result;
  } finally {
    clearInterval(ticker);
  }
}

function printTimings(): void {
  say("\n  time       step");
  for (const { step: name, ms, note } of timings) {
    const time = ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(0)} ms`;
    say(`  ${time.padEnd(10)} ${name}${note === "" ? "" : `  (${note})`}`);
  }
}

async function demo(aws: AwsCli): Promise<void> {
  const lambda = (...args: string[]) => aws.run("lambda-microvms", ...args, "--region", REGION);
  const { imageArn } = await step(
    "zip + Dockerfile → S3 → image built, booted, snapshot taken",
    "the service: 115–217 s",
    () =>
      buildApp(aws, {
        app: "flask",
        imageName: "flask-microvm-demo",
        region: REGION,
        onStep: (name) => say(`  ${name}`),
      }),
  );
  const run = JSON.parse(
    await step("run-microvm (AWS CLI included)", "", () =>
      lambda(
        "run-microvm",
        "--image-identifier",
        imageArn,
        "--idle-policy",
        '{"autoResumeEnabled":true,"maxIdleDurationSeconds":900,"suspendedDurationSeconds":300}',
      ),
    ),
  ) as { microvmId: string; endpoint: string };
  const token = await step("create-microvm-auth-token (AWS CLI included)", "", () =>
    lambda(
      "create-microvm-auth-token",
      "--microvm-identifier",
      run.microvmId,
      "--expiration-in-minutes",
      "30",
      "--allowed-ports",
      '[{"port":8080}]',
      "--query",
      'authToken."X-aws-proxy-auth"',
      "--output",
      "text",
    ),
  );
  const curl = `curl -fsS "https://${run.endpoint}/" -H "X-aws-proxy-auth: ${token}" -H "X-aws-proxy-port: 8080"`;
  const expectHello = async () => {
    const answer = await aws.shell(curl);
    if (!answer.includes("Hello, World!")) throw new Error(`The app answered ${answer}`);
    say(`  ${answer}`);
  };
  await step("first request over HTTPS", "", expectHello);
  await step("warm request", "", expectHello);
  await step("suspend-microvm (AWS CLI included)", "the service: 1.0–1.4 s", () =>
    lambda("suspend-microvm", "--microvm-identifier", run.microvmId),
  );
  await step("it says SUSPENDED", "", () => microvmBecomes(aws, run.microvmId, "SUSPENDED"));
  await step("a request wakes it", "the service: 0.65–1.6 s", expectHello);
  await step("it says RUNNING", "", () => microvmBecomes(aws, run.microvmId, "RUNNING"));
  await step("terminate-microvm, delete-microvm-image", "", async () => {
    await lambda("terminate-microvm", "--microvm-identifier", run.microvmId);
    await microvmBecomes(aws, run.microvmId, "TERMINATED");
    await lambda("delete-microvm-image", "--image-identifier", imageArn);
  });
}

say("Catnap demo: the published Flask walkthrough against this machine, with the unmodified AWS CLI and curl.\n");
const server = await newCatnapServer();
let aws: AwsCli | undefined;
try {
  await step("catnap up", "", () => server.start());
  aws = await AwsCli.open(server.clientEnv);
  await demo(aws);
  printTimings();
  say('\nAll of it worked. Your turn: bin/catnap up --detach, then eval "$(bin/catnap env)".');
} catch (error) {
  printTimings();
  say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await aws?.dispose();
  await server.dispose();
}
