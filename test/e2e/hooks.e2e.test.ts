import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { BUILD_ROLE, buildReason, imageBecomes, microvmBecomes } from "../support/walkthrough.ts";

const HOOKS = {
  port: 9000,
  microvmImageHooks: {
    ready: "ENABLED",
    readyTimeoutInSeconds: 60,
    validate: "ENABLED",
    validateTimeoutInSeconds: 60,
  },
  microvmHooks: {
    run: "ENABLED",
    runTimeoutInSeconds: 20,
    resume: "ENABLED",
    resumeTimeoutInSeconds: 5,
    suspend: "ENABLED",
    suspendTimeoutInSeconds: 10,
    terminate: "ENABLED",
    terminateTimeoutInSeconds: 20,
  },
};
const POLICY = '{"maxIdleDurationSeconds":300,"suspendedDurationSeconds":300,"autoResumeEnabled":true}';
const ADVICE = "Please check your hook endpoint and application logs for more details.";

interface HookEvent {
  readonly what: string;
  readonly body?: string;
}

async function useHookedApp() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const bucket = `catnap-${randomBytes(6).toString("hex")}`;
  await aws.useApp("hooks", bucket);
  await aws.shell(
    [
      `aws iam create-role --role-name ${BUILD_ROLE} --assume-role-policy-document file://trust-policy.json`,
      `aws iam put-role-policy --role-name ${BUILD_ROLE} --policy-name Build --policy-document file://build-policy.json`,
      `aws s3 mb s3://${bucket}`,
      "zip -q app.zip app.py Dockerfile",
      `aws s3 cp app.zip s3://${bucket}/app.zip`,
    ].join(" && "),
  );
  const source = [
    "--code-artifact",
    `uri=s3://${bucket}/app.zip`,
    "--base-image-arn",
    "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
    "--build-role-arn",
    `arn:aws:iam::123456789012:role/${BUILD_ROLE}`,
    "--hooks",
    JSON.stringify(HOOKS),
    "--resources",
    '[{"minimumMemoryInMiB":512}]',
  ];
  return { server, aws, source };
}

/** A microVM; a token for all its ports is made when it is first asked. */
async function runMicrovm(aws: AwsCli, imageArn: string, payload?: string) {
  const run = JSON.parse(
    await aws.run(
      "lambda-microvms",
      "run-microvm",
      "--image-identifier",
      imageArn,
      "--idle-policy",
      POLICY,
      ...(payload === undefined ? [] : ["--run-hook-payload", payload]),
    ),
  ) as { microvmId: string; endpoint: string };
  const id = ["--microvm-identifier", run.microvmId];
  const call = (operation: string) => aws.run("lambda-microvms", operation, ...id);
  const mint = () =>
    aws.run(
      "lambda-microvms",
      "create-microvm-auth-token",
      ...id,
      "--expiration-in-minutes",
      "30",
      "--allowed-ports",
      '[{"allPorts":{}}]',
      "--query",
      'authToken."X-aws-proxy-auth"',
      "--output",
      "text",
    );
  let token: Promise<string> | undefined;
  const curl = async (rest = "") =>
    aws.shell(`curl -sS "https://${run.endpoint}/" -H "X-aws-proxy-auth: ${await (token ??= mint())}" ${rest}`);
  return {
    ...run,
    call,
    events: async () => JSON.parse(await curl()) as HookEvent[],
    order: (orders: object) => curl(`-d '${JSON.stringify(orders)}'`),
    view: async () => JSON.parse(await call("get-microvm")) as { state: string; stateReason?: string },
    becomes: (state: string) => microvmBecomes(aws, run.microvmId, state),
  };
}

/** `kill -9` of a microVM's monitor. */
async function killMachine({ home }: CatnapServer, microvmId: string): Promise<void> {
  const found = await processesWorkingIn(join(home, "microvms", microvmId));
  expect(found).toHaveLength(1);
  process.kill(found[0] as number, "SIGKILL");
}

const names = (events: readonly HookEvent[]) => events.map(({ what }) => what);

test("an app is called at every turn of its life, and traffic waits for its answers", async () => {
  const { server, aws, source } = await useHookedApp();
  const create = ["create-microvm-image", "--name", "hooked", ...source, "--query", "imageArn", "--output", "text"];
  const imageArn = await aws.run("lambda-microvms", ...create);
  await imageBecomes(aws, imageArn, "CREATED");

  // A slow run hook, and a request that comes meanwhile.
  const payload = '{"delay":2}';
  const one = await runMicrovm(aws, imageArn, payload);
  const events = await one.events();
  // ready asked again after 503; what the throw-away microVM of /validate saw is not in the image
  expect(names(events)).toEqual(["ready", "ready", "ready", "run", "request"]);
  expect(events.at(3)).toMatchObject({
    host: "localhost:9000",
    peer: "127.0.0.1",
    type: "application/json",
    agent: null,
  });
  expect(JSON.parse(events.at(3)?.body ?? "")).toEqual({ microvmId: one.microvmId, runHookPayload: payload });
  expect(events.at(0)).toMatchObject({ body: "", type: null, host: "localhost:9000", peer: "127.0.0.1" });

  await one.call("suspend-microvm");
  await one.becomes("SUSPENDED");
  await one.call("resume-microvm");
  await one.becomes("RUNNING");
  await one.call("suspend-microvm");
  await one.becomes("SUSPENDED");
  expect(names(await one.events()).slice(5)).toEqual(["suspend", "resume", "suspend", "resume", "request"]);

  await one.order({ terminate: { delay: 6 } });
  await one.call("terminate-microvm");
  expect((await one.view()).state).toBe("TERMINATING"); // the hook holds it
  await one.becomes("TERMINATED");
  expect((await one.view()).stateReason).toBe("Success.");

  await checkFailures(aws, imageArn);
  await checkEnds(aws, imageArn);
  await checkCrashes(server, aws, imageArn);
  await checkFailedValidation(aws, imageArn, source);
});

async function checkFailures(aws: AwsCli, imageArn: string): Promise<void> {
  const refused = await runMicrovm(aws, imageArn, '{"status":400}');
  await refused.becomes("TERMINATED");
  expect((await refused.view()).stateReason).toBe(`Run lifecycle hook returned HTTP status 400. ${ADVICE}`);

  const stubborn = await runMicrovm(aws, imageArn);
  await stubborn.order({ suspend: { status: 500 } });
  await stubborn.call("suspend-microvm");
  await stubborn.becomes("TERMINATED");
  expect((await stubborn.view()).stateReason).toBe(`Suspend lifecycle hook returned HTTP status 500. ${ADVICE}`);

  const sleepy = await runMicrovm(aws, imageArn);
  await sleepy.order({ resume: { delay: 60 } });
  await sleepy.call("suspend-microvm");
  await sleepy.becomes("SUSPENDED");
  await sleepy.call("resume-microvm");
  await sleepy.becomes("TERMINATED");
  expect((await sleepy.view()).stateReason).toBe("Resume lifecycle hook timed out");
}

async function checkEnds(aws: AwsCli, imageArn: string): Promise<void> {
  const finished = await runMicrovm(aws, imageArn);
  await finished.order({ exit: 124 });
  await finished.becomes("TERMINATED");
  expect((await finished.view()).stateReason).toBe("Container Stopped with Exit Code: 124");

  // the guest's kernel kills it with signal 9
  const hungry = await runMicrovm(aws, imageArn);
  await hungry.order({ eat: 1 });
  await hungry.becomes("TERMINATED");
  expect((await hungry.view()).stateReason).toBe("Container Stopped with Exit Code: 137");
}

/** `kill -9` of the server while a hook is held, of a monitor while its machine dozes. */
async function checkCrashes(server: CatnapServer, aws: AwsCli, imageArn: string): Promise<void> {
  const crash = async () => {
    await setTimeout(500); // into the hook
    await server.crash();
    await server.start();
  };
  const one = await runMicrovm(aws, imageArn, '{"delay":4}');
  await crash();
  await one.becomes("RUNNING");
  expect(names(await one.events()).slice(3)).toEqual(["run", "request"]);

  await one.order({ suspend: { delay: 4 } });
  await one.call("suspend-microvm"); // answers while the hook is held
  await crash();
  await one.becomes("SUSPENDED");
  await one.order({ suspend: {}, resume: { delay: 4 } });
  expect(names(await one.events())).toContain("resume");

  await one.call("suspend-microvm");
  await one.becomes("SUSPENDED");
  await one.call("resume-microvm");
  await crash();
  await one.becomes("RUNNING");
  const before = await one.events();

  await one.call("suspend-microvm");
  await one.becomes("SUSPENDED");
  await killMachine(server, one.microvmId);
  expect((await one.view()).state).toBe("SUSPENDED");
  expect(names(await one.events())).toEqual([...names(before), "suspend", "resume", "request"]);

  await killMachine(server, one.microvmId);
  await one.becomes("TERMINATED");
  expect((await one.view()).stateReason).toBe("The virtual machine of this MicroVM ended unexpectedly.");
}

async function checkFailedValidation(aws: AwsCli, imageArn: string, source: string[]): Promise<void> {
  const update = ["update-microvm-image", "--image-identifier", imageArn, ...source];
  await aws.run("lambda-microvms", ...update, "--environment-variables", "VALIDATE=500");
  await eventually("the update's end", 300_000, async () => {
    const query = ["--query", "state", "--output", "text"];
    const state = await aws.run("lambda-microvms", "get-microvm-image", "--image-identifier", imageArn, ...query);
    return state === "UPDATE_FAILED" ? { done: undefined } : { saw: state };
  });
  expect(await buildReason(aws, imageArn, "2.0")).toBe(
    "Validate hook check failed: the application returned a server error (HTTP 5xx) response",
  );
}
