import { open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { useTinyGuest } from "../../../test/support/tiny-guest.ts";
import { bootTiny } from "../../../test/support/tiny-template.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { processesWorkingIn, startTicksOf } from "./process-identity.ts";
import type { MachineHandle } from "../engine.ts";
import type { GuestLink } from "../../guest-link/guest-link.ts";

/** Counter in memory, counter on disk, and the guest's clock in seconds. */
async function count(link: GuestLink): Promise<{ memory: number; disk: number; clock: number }> {
  const stream = await link.relay(8080);
  if ("refused" in stream) throw new Error(stream.refused);
  stream.end();
  const [memory = 0, disk = 0, clock = 0] = (await text(stream)).split(" ").map(Number);
  return { memory, disk, clock };
}

async function wake(link: GuestLink): Promise<void> {
  await link.wake({ wallClock: new Date(), entropy: crypto.getRandomValues(new Uint8Array(64)) });
}

test("clones of one template have memory, disk and network of their own, and go on where they slept", async () => {
  const tiny = await useTinyGuest();
  const template = await bootTiny(tiny);
  const upper = await stat(join(template.directory, "disk.upper"));
  const clone = async (name: string) => {
    const slot = await tiny.slot();
    const spec = { directory: join(tiny.home, name), template, rootfs: tiny.rootfs, network: slot.network };
    const machine = await tiny.engine.restore(spec);
    await wake(slot.link);
    return { machine, spec, link: slot.link };
  };
  const [one, two] = await Promise.all([clone("one"), clone("two")]);
  for (const expected of [1, 2, 3]) expect(await count(one.link)).toMatchObject({ memory: expected, disk: expected });
  expect(await count(two.link)).toMatchObject({ memory: 1, disk: 1 });
  const copied = await stat(join(one.spec.directory, "disk.upper"));
  expect(copied.size).toBe(upper.size);
  expect(copied.blocks * 512).toBeLessThan(upper.size / 4); // its holes are holes in the copy
  expect((await stat(join(template.directory, "disk.upper"))).mtimeMs).toBe(upper.mtimeMs);

  const { changedBytes } = await one.machine.suspend();
  expect(changedBytes).toBeGreaterThan(0);
  await one.machine.kill();
  const resumed = await tiny.engine.resume(one.spec);
  await wake(one.link);
  const after = await count(one.link);
  expect(after).toMatchObject({ memory: 4, disk: 4 });
  expect(Math.abs(after.clock - Date.now() / 1000)).toBeLessThan(10);

  await resumed.suspend();
  await resumed.unpause();
  expect(await count(one.link)).toMatchObject({ memory: 5, disk: 5 });

  // a second time in the same process, then from disk
  await resumed.suspend();
  await resumed.kill();
  const again = await tiny.engine.resume(one.spec);
  await wake(one.link);
  expect(await count(one.link)).toMatchObject({ memory: 6, disk: 6 });

  await again.kill();
  await two.machine.kill();
  expect(await tiny.engine.attach(two.machine.handle)).toBeUndefined();
});

test("a clone loaded ahead runs nothing until it is told, and moves with its directory", async () => {
  const tiny = await useTinyGuest();
  const template = await bootTiny(tiny);
  const slot = await tiny.slot();
  const made = join(tiny.home, "prepared");
  const spec = { directory: made, template, rootfs: tiny.rootfs, network: slot.network };
  const machine = await tiny.engine.restore({ ...spec, isPaused: true });
  await expect(slot.link.relay(8080, AbortSignal.timeout(1000))).rejects.toThrow(/cancelled/i);
  const moved = join(dirname(made), "moved");
  await machine.moveTo(moved);
  expect(machine.handle.directory).toBe(moved);
  await machine.unpause();
  await wake(slot.link);
  expect(await count(slot.link)).toMatchObject({ memory: 1, disk: 1 });
  await machine.suspend();
  await machine.kill();
  const resumed = await tiny.engine.resume({ ...spec, directory: moved });
  await wake(slot.link);
  expect(await count(slot.link)).toMatchObject({ memory: 2, disk: 2 });
  await resumed.kill();
});

/** Another byte in the middle of a file, and how to put the right one back. */
async function flipByte(path: string): Promise<() => Promise<void>> {
  const file = await open(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 8192);
  const write = (byte: number) => file.write(Buffer.from([byte]), 0, 1, 8192);
  await write((buffer[0] ?? 0) ^ 1);
  return async () => {
    await write(buffer[0] ?? 0);
    await file.close();
  };
}

test("a monitor that is killed while it loads or saves damages nothing, and is not taken for damage", async () => {
  const tiny = await useTinyGuest();
  const slot = await tiny.slot();
  const spec = {
    directory: join(tiny.home, "one"),
    template: await bootTiny(tiny),
    rootfs: tiny.rootfs,
    network: slot.network,
  };
  const machine = await tiny.engine.restore(spec);
  await wake(slot.link);
  expect(await count(slot.link)).toMatchObject({ memory: 1 });
  await machine.suspend();
  await machine.kill();
  const killed = async ({ pid }: MachineHandle) => {
    process.kill(pid, "SIGKILL");
    await eventually("the monitor is gone", 10_000, async () =>
      (await startTicksOf(pid)) === undefined ? { done: undefined } : { saw: "a process" },
    );
  };
  await expect(tiny.engine.resume({ ...spec, onStarted: killed })).rejects.toMatchObject({ code: "ERR_ENGINE_MEMORY" });
  const awake = await tiny.engine.resume(spec);
  await wake(slot.link);
  expect(await count(slot.link)).toMatchObject({ memory: 2 });
  const saved = await readFile(join(spec.directory, "memory.diff"));
  const [suspended] = await Promise.allSettled([awake.suspend(), killed(awake.handle)]);
  expect(suspended).toMatchObject({ reason: { code: expect.stringMatching(/^ERR_ENGINE_(LOST|MEMORY)$/) } });
  await awake.kill();
  expect(await readFile(join(spec.directory, "memory.diff"))).toEqual(saved);
});

test("damaged files are refused, and no process stays", async () => {
  const tiny = await useTinyGuest();
  const template = await tiny.engine.seal(await bootTiny(tiny), tiny.rootfs);
  const slot = await tiny.slot();
  const directory = join(tiny.home, "one");
  const spec = { directory, template, rootfs: tiny.rootfs, network: slot.network };
  const machine = await tiny.engine.restore(spec);
  await wake(slot.link);
  await machine.suspend();
  await machine.kill();
  const upper = await flipByte(join(directory, "disk.upper"));
  await expect(tiny.engine.resume(spec)).rejects.toThrow("The disk is damaged: the content of disk.upper");
  await upper();
  for (const path of [join(template.directory, "memory.base"), tiny.rootfs]) {
    const mend = await flipByte(path);
    await expect(tiny.engine.resume(spec)).rejects.toThrow(/is damaged: the content of (memory.base|rootfs.ext4)/);
    expect(await tiny.engine.damagedFiles(template, tiny.rootfs, { fromDisk: true })).toEqual([path]);
    await mend();
    expect(await tiny.engine.damagedFiles(template, tiny.rootfs)).toEqual([]); // it was touched, but it is right
  }
  for (const name of ["device.state", "memory.diff"]) {
    const whole = await readFile(join(directory, name));
    const damaged = Buffer.from(whole);
    damaged.write("damage", 8192);
    await writeFile(join(directory, name), damaged);
    await expect(tiny.engine.resume(spec)).rejects.toThrow(/checksum/);
    await writeFile(join(directory, name), whole);
  }
  expect(await processesWorkingIn(directory)).toEqual([]);
  const whole = await tiny.engine.resume(spec);
  await wake(slot.link);
  expect(await count(slot.link)).toMatchObject({ memory: 1 });
  await whole.kill();
});
