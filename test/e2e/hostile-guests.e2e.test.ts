import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ENGINE_FILES } from "../../src/engine/engine.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { useHostileApp, type HostileMicrovm } from "../support/hostile-app.ts";

const AT_ONCE = 200;
const LIMIT_MS = 240_000;
/** Far more than the server has ever been seen to take for these, far less than a guest can send. */
const MAX_GROWTH_MIB = 300;
/** Two log files of 32 MiB, and what the last pieces were longer. */
const MAX_LOG_BYTES = 66 * 1024 * 1024;
const HOOKS = {
  port: 8080,
  microvmImageHooks: { ready: "ENABLED", readyTimeoutInSeconds: 60 },
  microvmHooks: {
    resume: "ENABLED",
    resumeTimeoutInSeconds: 30,
    suspend: "ENABLED",
    suspendTimeoutInSeconds: 2,
  },
};

async function residentMiB({ home }: CatnapServer): Promise<number> {
  const pid = (await readFile(join(home, "catnap.pid"), "utf8")).trim();
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

async function sleepAndWake(microvm: HostileMicrovm, { fromDisk }: { fromDisk: boolean }): Promise<void> {
  await microvm.suspend();
  await microvm.becomes("SUSPENDED");
  if (fromDisk) await microvm.endDoze();
  // A wake that a busy host has no time for is tried again by the next call.
  await eventually("it is awake", LIMIT_MS, async () => {
    await microvm.resume();
    const { state } = await microvm.view();
    return state === "RUNNING" ? { done: undefined } : { saw: state };
  });
}

/** Its agent has its turns, so that it sleeps and wakes like any other. */
async function forkWithoutEnd(microvm: HostileMicrovm): Promise<void> {
  await microvm.ask("/fork");
  await sleepAndWake(microvm, { fromDisk: true });
}

/** The kernel ends who took it all, and the app goes on; what was taken is not slept on. */
async function exhaustMemory(microvm: HostileMicrovm): Promise<void> {
  expect(await microvm.ask("/eat")).toBe("signal 9");
  expect(await microvm.ask("/count")).toBe("1");
  await microvm.suspend();
  await microvm.becomes("SUSPENDED");
  const { blocks } = await stat(join(microvm.directory, ENGINE_FILES.changedPages));
  expect(blocks * 512).toBeLessThan(64 * 1024 * 1024);
  await microvm.endDoze();
  expect(await microvm.ask("/count")).toBe("2");
}

async function fillDisk(microvm: HostileMicrovm): Promise<void> {
  expect(await microvm.ask("/fill")).toMatch(/^ENOSPC \d+$/);
  expect(await microvm.ask("/count")).toBe("1");
  await sleepAndWake(microvm, { fromDisk: true });
  expect(await microvm.ask("/count")).toBe("2");
}

async function floodLog(microvm: HostileMicrovm): Promise<void> {
  await microvm.ask("/flood");
  for (const expected of ["1", "2", "3"]) expect(await microvm.ask("/count")).toBe(expected);
  await sleepAndWake(microvm, { fromDisk: false });
  expect(await microvm.ask("/count")).toBe("4");
  const sizes = ["app.log", "app.log.1"].map((name) =>
    stat(join(microvm.directory, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(MAX_LOG_BYTES);
}

/** Behind the agent's address: random bytes, a line without end, half a frame, in turn. */
async function takeAgentOver(microvm: HostileMicrovm): Promise<void> {
  expect(await microvm.ask("/agent")).toBe("0 0");
  const asked = await Promise.allSettled(Array.from({ length: 16 }, () => microvm.ask("/count")));
  for (const answer of asked) expect(String((answer as PromiseRejectedResult).reason)).toContain("HTTP 502");
  await microvm.suspend();
  await microvm.becomes("SUSPENDED");
  await expect(microvm.ask("/count")).rejects.toThrow(/HTTP 502/);
}

/** One resume hook a wake tells how often it was woken. */
async function wakeOnceForAll(microvm: HostileMicrovm): Promise<void> {
  for (const [wakes, fromDisk] of [
    [1, false],
    [2, true],
  ] as const) {
    await microvm.suspend();
    await microvm.becomes("SUSPENDED");
    if (fromDisk) await microvm.endDoze();
    const counts = await Promise.all(Array.from({ length: AT_ONCE }, () => microvm.ask("/count")));
    const expected = Array.from({ length: AT_ONCE }, (_, index) => (wakes - 1) * AT_ONCE + index + 1);
    expect(counts.map(Number).toSorted((a, b) => a - b)).toEqual(expected);
    expect(await microvm.ask("/resumes")).toBe(String(wakes));
    expect(await microvm.machines()).toHaveLength(1);
  }
}

async function ignoreSuspendHook(microvm: HostileMicrovm): Promise<void> {
  await microvm.ask("/deaf");
  await microvm.suspend();
  expect(await microvm.becomes("TERMINATED")).toBe("Suspend lifecycle hook timed out");
}

test("guests that go wild in any way harm nobody else and end when told; two hundred requests wake a sleeper once", async () => {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const app = await useHostileApp(server);
  const [wild, hooked] = await Promise.all([
    app.build("wild", ["--additional-os-capabilities", "ALL"]),
    app.build("hooked", ["--hooks", JSON.stringify(HOOKS)]),
  ]);
  const caller = await app.run(hooked.arn);
  await wakeOnceForAll(caller);
  await ignoreSuspendHook(caller);

  const neighbour = await app.run(wild.arn);
  const before = await residentMiB(server);
  let isOver = false;
  const counted: string[] = [];
  const stream = (async () => {
    while (!isOver) counted.push(await neighbour.ask("/count"));
  })();
  stream.catch(() => {}); // awaited below
  const ways = [forkWithoutEnd, exhaustMemory, fillDisk, floodLog, takeAgentOver];
  await Promise.all(
    ways.map(async (goWild) => {
      const microvm = await app.run(wild.arn);
      await goWild(microvm);
      await microvm.terminate();
      expect(await microvm.machines()).toEqual([]);
    }),
  );
  isOver = true;
  await stream;
  expect(counted).toEqual(counted.map((_, index) => String(index + 1)));
  expect((await residentMiB(server)) - before).toBeLessThan(MAX_GROWTH_MIB);
});
