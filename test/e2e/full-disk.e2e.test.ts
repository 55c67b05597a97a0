import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import type { AwsCli } from "../support/aws.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { useHostileApp, type HostileMicrovm } from "../support/hostile-app.ts";
import { useSmallDisk } from "../support/small-disk.ts";

const DISK_MIB = 800;
const RESERVE_MIB = 20;
/** Enough for a line and a row, not for what a guest writes. */
const SCRAPS_MIB = 4;
/** More than the reserve, less than a booted machine writes beyond it. */
const ENOUGH_TO_BEGIN_MIB = 40;
const LIMIT_MS = 120_000;
const FULL = /^The disk of this host is full: \d+ MiB are free, and 20 MiB are kept free \(CATNAP_DISK_RESERVE_MIB\)/;
const ROLE = "Execution";

async function useFullDisk() {
  const disk = await useSmallDisk(DISK_MIB);
  const server = await newCatnapServer({
    CATNAP_HOME: join(disk.directory, "home"),
    CATNAP_DISK_RESERVE_MIB: String(RESERVE_MIB),
  });
  onTestFinished(() => server.dispose());
  onTestFinished(() => disk.release());
  await server.start();
  const app = await useHostileApp(server);
  return { disk, server, app, microvms: () => readdir(join(server.home, "microvms")) };
}

type World = Awaited<ReturnType<typeof useFullDisk>>;

const pidOf = ({ home }: CatnapServer) => readFile(join(home, "catnap.pid"), "utf8");

function logSays({ home }: CatnapServer, words: string): Promise<void> {
  return eventually(`the log says "${words}"`, LIMIT_MS, async () => {
    const log = await readFile(join(home, "catnap.log"), "utf8");
    return log.includes(words) ? { done: undefined } : { saw: log.slice(-500) };
  });
}

/** A role that microVMs may log with. */
async function makeExecutionRole(aws: AwsCli): Promise<string> {
  const trust = {
    Effect: "Allow",
    Principal: { Service: "lambda.amazonaws.com" },
    Action: ["sts:AssumeRole", "sts:TagSession"],
  };
  const policy = { Effect: "Allow", Action: "logs:*", Resource: "*" };
  const document = (statement: object) => JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await aws.run("iam", "create-role", "--role-name", ROLE, "--assume-role-policy-document", document(trust));
  await aws.run(
    "iam",
    "put-role-policy",
    "--role-name",
    ROLE,
    "--policy-name",
    "logs",
    "--policy-document",
    document(policy),
  );
  return `arn:aws:iam::123456789012:role/${ROLE}`;
}

/** Below the reserve nothing new begins; what is there lives on, sleeps and wakes. */
async function refuseWhatIsNew({ server, app, microvms }: World, arn: string, sleeper: HostileMicrovm): Promise<void> {
  const known = await microvms();
  await expect(app.begin(arn)).rejects.toMatchObject({
    name: "InsufficientCapacityException",
    message: expect.stringMatching(FULL),
  });
  expect(await microvms()).toEqual(known);
  await expect(app.build("uploaded")).rejects.toThrow(/InsufficientStorage.*The disk of this host is full/);
  await failsToBuild({ server, app }, "below-the-reserve");
  await logSays(server, "nothing new is started or built until there is room on the disk");
  await sleeper.endDoze();
  expect(await sleeper.ask("/count")).toBe("2");
  await sleeper.suspend();
  await sleeper.becomes("SUSPENDED");
}

async function failsToBuild({ server, app }: Pick<World, "server" | "app">, name: string): Promise<void> {
  const { state, reason, buildId } = await app.buildAgain(name);
  expect({ state, reason }).toEqual({
    state: "CREATE_FAILED",
    reason: expect.stringMatching(/^DISK_STORAGE_FULL: the disk of this host is full.*Make room/i),
  });
  expect(await readdir(join(server.home, "images", buildId))).toEqual(["build.log"]);
  expect(await readdir(join(server.home, "builds"))).toEqual([]);
  expect(await processesWorkingIn(join(server.home, "images"))).toEqual([]);
}

async function isAwake(microvm: HostileMicrovm, count: number): Promise<void> {
  await microvm.becomes("RUNNING");
  expect(await microvm.ask("/count")).toBe(String(count));
  expect((await readdir(microvm.directory)).filter((name) => /^(memory\.diff|device\.state)/.test(name))).toEqual([]);
}

test("a disk that fills up costs nobody a microVM: what is new is refused in time, and all goes on once there is room", async () => {
  const world = await useFullDisk();
  const { disk, server, app } = world;
  const executionRole = await makeExecutionRole(app.aws);
  const { arn } = await app.build("app");
  const pid = await pidOf(server);
  const [sleeper, runner, writer, talker] = await Promise.all([
    app.run(arn),
    app.run(arn),
    app.run(arn),
    app.run(arn, executionRole),
  ]);
  expect(await sleeper.ask("/count")).toBe("1");
  await sleeper.suspend();
  await sleeper.becomes("SUSPENDED");

  await disk.leave(0.75 * RESERVE_MIB);
  await refuseWhatIsNew(world, arn, sleeper);

  await disk.leave(SCRAPS_MIB);
  await runner.ask("/dirty?64");
  await runner.suspend();
  await logSays(server, "suspend failed, nothing is lost");
  await isAwake(runner, 1);
  await expect(sleeper.ask("/count")).rejects.toThrow("HTTP 502");
  expect((await sleeper.view()).state).toBe("SUSPENDED");

  let isWritten = false;
  const writing = writer.ask("/write?64").then((said) => ((isWritten = true), said));
  writing.catch(() => {}); // awaited below
  await logSays(server, "the microVM stands still until there is room");
  await disk.leave(0);
  await talker.ask("/flood");
  await writer.suspend();
  await talker.suspend();
  await isAwake(runner, 2);
  await isAwake(talker, 1);
  expect(isWritten).toBe(false);
  expect((await writer.view()).state).toBe("RUNNING");
  await talker.terminate();

  await disk.release();
  expect(await writing).toBe("done 64");
  for (const microvm of [runner, writer]) {
    await microvm.suspend();
    await microvm.becomes("SUSPENDED");
    await microvm.endDoze();
  }
  const counts = [runner.ask("/count"), writer.ask("/count"), sleeper.ask("/count")];
  expect(await Promise.all(counts)).toEqual(["3", "1", "3"]);
  expect(await pidOf(server)).toBe(pid);

  await disk.leave(ENOUGH_TO_BEGIN_MIB);
  await failsToBuild(world, "filling-up");
  await disk.release();
  const next = await app.run(arn);
  expect(await next.ask("/count")).toBe("1");
  expect(await runner.ask("/count")).toBe("4");
});
