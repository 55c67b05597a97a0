import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { MemoryEngine } from "../../test/support/memory-engine.ts";
import type { BuiltImage } from "../build/image-builder.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import { PreparedMachines, type PreparedMachinesOptions } from "./prepared-machines.ts";

const BUILD = "build-1";

async function usePrepared(options: Partial<PreparedMachinesOptions> = {}) {
  const home = await mkdtemp(join(tmpdir(), "catnap-prepared-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await writeFile(join(home, "disk.upper"), "");
  const engine = new MemoryEngine();
  let leased = 0;
  const slots = {
    acquire: async () => {
      leased++;
      return { number: leased, network: {}, guest: {}, release: async () => void leased-- } as SlotLease;
    },
  };
  const directory = join(home, "prepared");
  const log = pino({ enabled: false });
  const openLink = () => ({}) as GuestLink;
  const prepared = new PreparedMachines({
    engine,
    slots,
    openLink,
    log,
    directory,
    perImage: 2,
    delayMs: 1,
    ...options,
  });
  onTestFinished(() => prepared.close());
  await prepared.recover();
  const template = { directory: home, shape: { memoryMiB: 1, vcpus: 1 }, fingerprint: "test" };
  const image = { template, rootfs: "rootfs" } as BuiltImage;
  const becomesReady = (count: number) => vi.waitFor(() => expect(engine.living).toBe(count), { timeout: 10_000 });
  return { prepared, engine, image, directory, becomesReady, leased: () => leased };
}

test("an image's first run finds nothing, later ones find a machine that has not run", async () => {
  const { prepared, image, becomesReady } = await usePrepared();
  expect(prepared.take(BUILD, image)).toBeUndefined();
  await becomesReady(2);
  const taken = await vi.waitFor(() => {
    const found = prepared.take(BUILD, image);
    if (found === undefined) throw new Error("not yet");
    return found;
  });
  expect(taken.machine).toMatchObject({ phase: "paused" });
  await becomesReady(3);
  expect(prepared.take("another build", image)).toBeUndefined();
});

test("a guest whose app is frozen rehearses its wake and then waits; one that cannot is given up", async () => {
  const rehearsals: string[] = [];
  const { prepared, image, engine, becomesReady, leased, directory } = await usePrepared({
    perImage: 1,
    openLink: () =>
      ({
        rehearse: async () => {
          rehearsals.push([...engine.machines.values()].map(({ phase }) => phase).join(" "));
          if (rehearsals.length === 1) throw new Error("the guest does not answer");
        },
      }) as unknown as GuestLink,
  });
  const frozen = { ...image, isFrozen: true };
  prepared.take(BUILD, frozen);
  await vi.waitFor(async () => expect([rehearsals, leased(), await readdir(directory)]).toEqual([["running"], 0, []]));
  prepared.take(BUILD, frozen);
  await vi.waitFor(() => expect(rehearsals).toEqual(["running", "gone running"]));
  await becomesReady(1);
  const taken = await vi.waitFor(() => {
    const found = prepared.take(BUILD, frozen);
    if (found === undefined) throw new Error("not yet");
    return found;
  });
  expect(taken.machine).toMatchObject({ phase: "paused" });
});

test("an image that is removed, or not run for a while, gives its machines, slots and folders back", async () => {
  const { prepared, image, becomesReady, directory, leased } = await usePrepared({ keepMs: 400 });
  for (const end of [() => prepared.release(BUILD), () => Promise.resolve()]) {
    prepared.take(BUILD, image);
    await becomesReady(2);
    await end();
    await becomesReady(0);
    await vi.waitFor(async () => expect([leased(), await readdir(directory)]).toEqual([0, []]));
  }
});

test("a machine that is killed while it waits gives its slot and folder back, and the next run has another made", async () => {
  const { prepared, image, engine, becomesReady, directory, leased } = await usePrepared();
  prepared.take(BUILD, image);
  await becomesReady(2);
  await vi.waitFor(() => expect(leased()).toBe(2));
  const [first] = engine.machines.values();
  await first?.kill();
  await vi.waitFor(async () => expect([leased(), (await readdir(directory)).length]).toEqual([1, 1]));
  const taken = prepared.take(BUILD, image);
  expect(taken?.machine).toMatchObject({ phase: "paused" });
  await becomesReady(3);
});

test("a server that starts ends what a killed one had prepared", async () => {
  const { prepared, image, engine, becomesReady, directory } = await usePrepared();
  prepared.take(BUILD, image);
  await becomesReady(2);
  const next = new PreparedMachines({
    engine,
    slots: { acquire: () => Promise.reject(new Error("unused")) },
    openLink: () => ({}) as GuestLink,
    log: pino({ enabled: false }),
    directory,
    perImage: 1,
  });
  await next.recover();
  expect(engine.living).toBe(0);
  expect(await readdir(directory)).toEqual([]);
});

test("a fault while preparing leaves nothing, and the next run tries again", async () => {
  const { prepared, image, engine, becomesReady, directory, leased } = await usePrepared({ perImage: 1 });
  engine.failNext = "restore";
  prepared.take(BUILD, image);
  await vi.waitFor(() => expect(engine.failNext).toBeUndefined());
  await vi.waitFor(async () => expect([leased(), await readdir(directory)]).toEqual([0, []]));
  prepared.take(BUILD, image);
  await becomesReady(1);
});

test("none are kept when the setting says so", async () => {
  const { prepared, image, engine } = await usePrepared({ perImage: 0 });
  expect(prepared.take(BUILD, image)).toBeUndefined();
  expect(prepared.take(BUILD, image)).toBeUndefined();
  expect(engine.calls).toEqual([]);
});
