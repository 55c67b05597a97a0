import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { GetMicrovmImageVersionCommand } from "@aws-sdk/client-lambda-microvms";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { CountedMicrovm } from "../counted/counted-microvm.ts";
import { buildCounter } from "../counted/counter-image.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { mustRun } from "../support/project.ts";

const LIMIT_MS = 180_000;
const PROGRAM = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";

/** A QEMU installed before the host's own on the server's path, and upgraded as a package manager does: by a rename. */
async function useUpgradableHost() {
  const prefix = await mkdtemp(join(tmpdir(), "catnap-qemu-"));
  onTestFinished(() => rm(prefix, { recursive: true, force: true }));
  const installed = (await mustRun("sh", ["-c", `realpath $(command -v ${PROGRAM})`])).trim();
  const program = join(prefix, "bin", PROGRAM);
  const install = async (difference: string) => {
    await copyFile(installed, `${program}.new`);
    await appendFile(`${program}.new`, difference);
    await rename(`${program}.new`, program);
  };
  await mkdir(dirname(program));
  await install("");
  for (const folder of ["lib", "share"]) await symlink(join(dirname(dirname(installed)), folder), join(prefix, folder));
  return { path: `${prefix}/bin:${process.env["PATH"] ?? ""}`, upgrade: () => install("another build") };
}

async function useServer() {
  const host = await useUpgradableHost();
  const server = await newCatnapServer({ PATH: host.path, CATNAP_DOZE_SECONDS: "0" });
  onTestFinished(() => server.dispose());
  await server.start();
  const place = await buildCounter(server);
  onTestFinished(() => place.client().destroy());
  const at = (...names: string[]) => join(server.home, ...names);
  return {
    ...host,
    server,
    run: () => CountedMicrovm.run(place),
    version: async () => {
      const { state, status, updatedAt } = await place
        .client()
        .send(new GetMicrovmImageVersionCommand({ imageIdentifier: place.imageArn, imageVersion: "1.0" }));
      return { state, status, updatedAt };
    },
    /** Fingerprint of the engine that a microVM's machine runs on. */
    engineOf: async ({ microvmId }: CountedMicrovm) => {
      const [pid] = await processesWorkingIn(at("microvms", microvmId));
      return basename(dirname(await readlink(`/proc/${pid}/exe`)));
    },
    engines: async () => (await readdir(at("engines"))).toSorted(),
    async flipBit(...names: string[]) {
      const [build = ""] = await readdir(at("images"));
      const file = await open(at("images", build, ...names), "r+");
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 50 * 1024 * 1024);
      await file.write(Buffer.from([(buffer[0] ?? 0) ^ 4]), 0, 1, 50 * 1024 * 1024);
      await file.close();
    },
    log: () => readFile(at("catnap.log"), "utf8"),
    templates: async () => {
      const [build = ""] = await readdir(at("images"));
      return (await readdir(at("images", build))).filter((name) => name === "memory.base" || /^\d+$/.test(name));
    },
  };
}

test("after QEMU was upgraded sleepers go on with the old one, new microVMs run on the new one, and nothing is lost", async () => {
  const { server, run, engineOf, ...world } = await useServer();
  const [sleeper, parked] = [await run(), await run()];
  for (const microvm of [sleeper, parked, sleeper]) await microvm.ask();
  await sleeper.suspend();
  const old = await engineOf(parked);
  const before = await world.version();
  await server.down();
  await world.upgrade();
  expect(await server.doctor()).toMatch(
    /changed since the last start .*: the next start snapshots 1 image.* 2 microVMs keep/,
  );
  await server.start();
  expect(before).toMatchObject({ state: "SUCCESSFUL", status: "ACTIVE" });
  expect(await world.version()).toEqual(before);

  const [current = ""] = (await world.engines()).filter((name) => name !== old);
  await sleeper.ask();
  await parked.ask();
  expect([await engineOf(sleeper), await engineOf(parked)]).toEqual([old, old]);
  await eventually("the image is snapshotted again", LIMIT_MS, async () =>
    (await world.log()).includes("an image was snapshotted again") ? { done: undefined } : { saw: "not yet" },
  );
  const fresh = await run();
  await fresh.ask();
  expect(await engineOf(fresh)).toBe(current);
  await fresh.terminate();
  expect(await world.version()).toEqual(before);

  // and once more from disk, now that another template has taken the place of theirs
  for (const microvm of [sleeper, parked]) {
    await microvm.suspend();
    await microvm.ask();
    await microvm.terminate();
  }
  // A flipped bit in the memory that all share: who slept on it ends with the reason, and the image is mended.
  const [victim, awake] = [await run(), await run()];
  for (const microvm of [victim, awake]) await microvm.ask();
  await victim.suspend();
  await world.flipBit("2", "memory.base");
  await expect(victim.ask()).rejects.toThrow();
  const { state, reason } = await victim.state();
  expect([state, reason]).toEqual(["TERMINATED", expect.stringContaining("The memory of the image is damaged")]);
  const healthy = await run();
  await healthy.ask();
  await awake.ask();

  for (const microvm of [healthy, awake]) await microvm.terminate();
  await eventually("both have ended", LIMIT_MS, async () => {
    const states = await Promise.all([healthy, awake].map((microvm) => microvm.state()));
    return states.every((one) => one.state === "TERMINATED") ? { done: undefined } : { saw: JSON.stringify(states) };
  });
  await server.down();
  expect([await world.engines(), await world.templates()]).toEqual([[current], ["3"]]);
});
