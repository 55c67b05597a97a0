import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { useHookServer } from "../../test/support/use-hook-server.ts";
import type { Engine, Machine, TemplateFiles } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import type { GuestEvent, GuestLink, GuestStatus } from "../guest-link/guest-link.ts";
import type { HookSettings } from "../model/hooks.ts";
import { must } from "../util/assert.ts";
import { sizeTier } from "../model/sizes.ts";
import { BuildLog } from "./build-log.ts";
import { bootAndSnapshot } from "./cold-boot.ts";

interface World {
  readonly status?: GuestStatus;
  readonly listening?: readonly number[];
  readonly says?: string;
  readonly refusesStart?: boolean;
  readonly diesAtBoot?: boolean;
  readonly limitMs?: number;
  readonly hooks?: HookSettings;
  /** To the app's hook server. */
  readonly relay?: GuestLink["relay"];
}

/** A guest that is as the test says, and a record of what was done to it. */
function fakeGuest(world: World) {
  const done: string[] = [];
  const note = async (what: string) => void done.push(what);
  const exited = Promise.withResolvers<void>();
  const status = world.status ?? { app: "running", pid: 2 };
  const link: Partial<GuestLink> = {
    waitUntilUp: (signal) =>
      world.diesAtBoot
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : note("up"),
    start: async () => {
      if (world.refusesStart) throw new AppError("ERR_GUEST_REFUSED", { message: "no such program" });
      await note("start");
    },
    status: async () => status,
    listeningPorts: async (ports) => ports.filter((port) => (world.listening ?? []).includes(port)),
    busyMs: async () => 0,
    settle: async () => {
      await note("settle");
      return { isFrozen: true };
    },
    relay: world.relay ?? (async () => ({ refused: "port-closed" })),
    async *events(_offset, signal): AsyncGenerator<GuestEvent> {
      yield { kind: "output", offset: 0, stream: "stdout", bytes: Buffer.from(world.says ?? "") };
      if (status.app === "exited") yield { kind: "exited", code: status.code };
      else await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const machine: Partial<Machine> = { exited: exited.promise, kill: () => note("kill"), onDiskFull() {} };
  const engine: Partial<Engine> = {
    boot: async () => {
      if (world.diesAtBoot) exited.resolve();
      await note("boot");
      return machine as Machine;
    },
    snapshot: async (_machine, directory, shape): Promise<TemplateFiles> => {
      await note("snapshot");
      return { directory, shape, fingerprint: "f" };
    },
    seal: async (template) => template,
  };
  return { done, note, link: link as GuestLink, engine: engine as Engine };
}

async function boot(world: World) {
  const folder = await mkdtemp(join(tmpdir(), "catnap-boot-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const guest = fakeGuest(world);
  const log = new BuildLog(join(folder, "build.log"));
  const container = {
    argv: ["/x"],
    env: {},
    workingDir: "/",
    user: "",
    exposedTcpPorts: [8080],
    stopSignal: 15,
    allCapabilities: false,
  };
  const acquireSlot = async () => ({
    network: { namespace: "n", tap: "t", mac: "m", userId: 1 },
    guest: { host: "h", port: 1 },
    release: () => guest.note("release"),
  });
  const outcome = await bootAndSnapshot(
    {
      engine: guest.engine,
      acquireSlot,
      openLink: () => guest.link,
      log,
      readyLimitMs: world.limitMs ?? 10_000,
      signal: new AbortController().signal,
    },
    { directory: folder, rootfs: "r", container, tier: must(sizeTier(512), "a tier"), hooks: world.hooks },
  ).catch((error: unknown) => error);
  await log.close();
  return { done: guest.done, outcome, log: await readFile(join(folder, "build.log"), "utf8") };
}

test("a listening app is snapshotted with the memory of its size, and nothing stays", async () => {
  const { done, outcome, log } = await boot({ listening: [8080], says: "hello\n" });
  expect(done).toEqual(["boot", "up", "start", "settle", "snapshot", "kill", "release"]);
  expect(outcome).toMatchObject({ template: { shape: { memoryMiB: 2048, vcpus: 1 } }, outputOffset: 6 });
  expect(log).toContain("app | hello");
});

test("an app that ends is told with its code and last words", async () => {
  const { done, outcome } = await boot({ status: { app: "exited", code: 3 }, says: "no database\nbye" });
  expect(outcome).toMatchObject({
    failureCode: "CONTAINER_BUILD_FAILED",
    reason: expect.stringMatching(/^Failed to start container: .*code 3.*no database \| bye/),
  });
  expect(done).toEqual(["boot", "up", "start", "kill", "release"]);
});

test("a command that cannot be started is told", async () => {
  expect((await boot({ refusesStart: true })).outcome).toMatchObject({
    reason: "Failed to start container: no such program",
  });
});

test("an app that never listens is snapshotted all the same, and the log says so", async () => {
  const { done, log } = await boot({ limitMs: 100 });
  expect(done).toContain("snapshot");
  expect(log).toMatch(/nothing accepts on the exposed port 8080/);
});

test("a machine that dies while booting ends the build at once", async () => {
  const { done, outcome } = await boot({ diesAtBoot: true });
  expect(outcome).toMatchObject({ code: "ERR_ENGINE_LOST" });
  expect(done).toEqual(["boot", "kill", "release"]);
});

test("with a ready hook the app's word counts, not its ports", async () => {
  const { calls, relay } = await useHookServer([503, 200]);
  const { done, outcome, log } = await boot({ hooks: { port: 9000, ready: 30 }, relay });
  expect(calls).toEqual(["ready", "ready"]);
  expect(done).toEqual(["boot", "up", "start", "settle", "snapshot", "kill", "release"]);
  expect(outcome).toMatchObject({ template: { fingerprint: "f" } });
  expect(log).toMatch(/\/ready answered 503\n.*\/ready answered 200\n.*\/ready passed after/);
});

test.each([
  [[500], "Ready hook check failed: the application returned a server error (HTTP 5xx) response"],
  [[404], "Ready hook check failed: the application returned a client error (HTTP 4xx) response"],
  [[0], "Ready hook invocation timed out after PT1S"],
])("a ready hook that answers %j fails the build with the service's reason", async (statuses, reason) => {
  const { relay } = await useHookServer(statuses);
  const { done, outcome } = await boot({ hooks: { port: 9000, ready: 1 }, relay });
  expect(outcome).toMatchObject({ failureCode: "CONTAINER_BUILD_FAILED", reason });
  expect(done).toEqual(["boot", "up", "start", "kill", "release"]);
});

test("an app that ends before its ready hook answers is told with its code and last words", async () => {
  const { outcome } = await boot({
    hooks: { port: 9000, ready: 3600 },
    status: { app: "exited", code: 1 },
    says: "no module named app",
  });
  expect(outcome).toMatchObject({ reason: expect.stringMatching(/code 1.*no module named app/) });
});
