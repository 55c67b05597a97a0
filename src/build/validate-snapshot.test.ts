import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { useHookServer } from "../../test/support/use-hook-server.ts";
import type { Engine, Machine, TemplateFiles } from "../engine/engine.ts";
import type { GuestEvent, GuestLink } from "../guest-link/guest-link.ts";
import { BuildLog } from "./build-log.ts";
import { validateSnapshot } from "./validate-snapshot.ts";

/** A template of one file, and an engine whose clone only notes what is done to it. */
async function validate({ statuses, dies = false }: { statuses: number[]; dies?: boolean }) {
  const directory = await mkdtemp(join(tmpdir(), "catnap-validate-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, "disk.upper"), "as snapshotted");
  const { calls, relay } = await useHookServer(statuses);
  const done: string[] = [];
  const note = async (what: string) => void done.push(what);
  const exited = Promise.withResolvers<void>();
  const machine: Partial<Machine> = {
    onDiskFull() {},
    exited: exited.promise,
    kill: () => note("kill"),
    noteWorkingSet: () => note("working set"),
  };
  const engine: Partial<Engine> = {
    restore: async (spec) => {
      expect(spec.directory).not.toBe(directory);
      await mkdir(spec.directory);
      await writeFile(join(spec.directory, "disk.upper"), "written by the throw-away");
      await note("restore");
      if (dies) exited.resolve();
      return machine as Machine;
    },
  };
  const link: Partial<GuestLink> = {
    relay,
    wake: () => note("wake"),
    status: async () => ({ app: "running", pid: 2 }),
    async *events(from, signal): AsyncGenerator<GuestEvent> {
      if (signal.aborted) return;
      yield { kind: "output", offset: from, stream: "stdout", bytes: Buffer.from("validated\n") };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const log = new BuildLog(join(directory, "build.log"));
  const template: TemplateFiles = { directory, shape: { memoryMiB: 1, vcpus: 1 }, fingerprint: "f" };
  const outcome = await validateSnapshot(
    {
      engine: engine as Engine,
      acquireSlot: async () => ({
        network: { namespace: "n", tap: "t", mac: "m", userId: 1 },
        guest: { host: "h", port: 1 },
        release: () => note("release"),
      }),
      openLink: () => link as GuestLink,
      log,
      readyLimitMs: 1,
      signal: new AbortController().signal,
    },
    { template, rootfs: "r", hooks: { port: 9000, validate: 1 }, outputOffset: 6 },
  ).catch((error: unknown) => error);
  await log.close();
  const left = await readdir(directory);
  const upper = await readFile(join(directory, "disk.upper"), "utf8");
  return {
    calls,
    done,
    outcome,
    left: left.toSorted(),
    upper,
    log: await readFile(join(directory, "build.log"), "utf8"),
  };
}

test("a snapshot is validated on a woken clone of its own, which is gone afterwards", async () => {
  const { calls, done, outcome, left, upper, log } = await validate({ statuses: [503, 200] });
  expect(outcome).toBeUndefined();
  expect(calls).toEqual(["validate", "validate"]);
  expect(done).toEqual(["restore", "wake", "working set", "kill", "release"]);
  expect(left).toEqual(["build.log", "disk.upper"]);
  expect(upper).toBe("as snapshotted");
  expect(log).toContain("app | validated");
});

test.each([
  [[500], "Validate hook check failed: the application returned a server error (HTTP 5xx) response"],
  [[0], "Validate hook invocation timed out after PT1S"],
])("a validation that answers %j fails with the service's reason, and the clone is gone", async (statuses, reason) => {
  const { done, outcome, left } = await validate({ statuses });
  expect(outcome).toMatchObject({ failureCode: "CONTAINER_BUILD_FAILED", reason });
  expect(done.slice(-2)).toEqual(["kill", "release"]);
  expect(left).toEqual(["build.log", "disk.upper"]);
});

test("a clone that dies ends the validation at once", async () => {
  const { done, outcome } = await validate({ statuses: [0], dies: true });
  expect(outcome).toMatchObject({ code: "ERR_ENGINE_LOST" });
  expect(done.slice(-2)).toEqual(["kill", "release"]);
});
