import { open, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "../../src/engine/engine.ts";
import { Broken } from "../counted/counted-microvm.ts";
import { eventually } from "../support/eventually.ts";
import type { Tenancy } from "./soak-world.ts";

const LIMIT_MS = 60_000;

/** Asleep, and its process gone. */
async function sleepDeep(tenant: Tenancy): Promise<void> {
  const { microvm, world } = tenant;
  await world.underWay.during("suspend", () => microvm.suspend());
  await eventually(`${microvm.microvmId} is asleep on disk alone`, LIMIT_MS, async () => {
    const pid = await tenant.machine();
    return pid === undefined ? { done: undefined } : { saw: `process ${pid}` };
  });
}

/** One that sleeps on disk is cut short, or a bit of it turned: it must not wake, and must say so. */
export async function breakSleeper(tenant: Tenancy): Promise<void> {
  const { microvm, random, fate, world } = tenant;
  await sleepDeep(tenant);
  const { state } = await microvm.state();
  if (state !== "SUSPENDED") throw new Error(`it is ${state}`);
  const { changedPages, devices, upper, upperSeal } = ENGINE_FILES;
  const isDiskSealed = (await readdir(tenant.directory)).includes(upperSeal); // it is not, of one that stores much
  const name = random.pick([changedPages, devices, ...(isDiskSealed ? [upper] : [])]);
  const file = join(tenant.directory, name);
  fate.deal("sleeper's files damaged");
  if (name !== upper && random.chance(0.5)) {
    await truncate(file, random.integer(0, (await stat(file)).size - 1));
    world.faults.add("snapshot file of a sleeper cut short");
  } else {
    // Of the disk, where its file system begins; what comes later may be a hole.
    await turnBit(file, { at: random.integer(0, name === upper ? 4095 : (await stat(file)).size - 1), random });
    world.faults.add(`bit of a sleeper's ${name} turned`);
  }
  await world.underWay.during("resume", () => microvm.ask());
  throw new Broken(`${microvm.microvmId} woke from a damaged ${file}`);
}

async function turnBit(path: string, { at, random }: { at: number; random: Tenancy["random"] }): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8() ^ (1 << random.integer(0, 7)));
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

/** What the next monitor is to read ahead is a hint: wrong, it costs time and nothing else. */
export async function spoilHint(tenant: Tenancy): Promise<void> {
  await sleepDeep(tenant);
  const names = await readdir(tenant.directory);
  if (names.includes(ENGINE_FILES.workingSet)) {
    await writeFile(join(tenant.directory, ENGINE_FILES.workingSet), tenant.random.bytes(300));
    tenant.world.faults.add("hint file of a sleeper spoilt");
  }
  await tenant.world.underWay.during("resume", () => tenant.microvm.ask());
}

/** Nobody else drives it now: what it was is on disk. */
export async function killDozer(tenant: Tenancy): Promise<void> {
  const { microvm, world } = tenant;
  await world.underWay.during("suspend", () => microvm.suspend());
  const { state } = await microvm.state();
  const pid = await tenant.machine();
  if (state === "SUSPENDED" && pid !== undefined && kill(pid)) world.faults.add("kill -9 of a machine: dozing");
  await world.underWay.during("resume", () => microvm.ask());
}

/** The app sleeps through the time it has to get ready for the suspend, and longer: that ends its microVM. */
export async function ignoreSuspendHook({ microvm, fate, world }: Tenancy): Promise<void> {
  const before = world.upheavals.mark;
  await microvm.send({ path: "/orders", body: JSON.stringify({ suspend: { delay: 60 } }) });
  fate.deal("suspend hook ignored");
  await world.underWay.during("suspend", () => microvm.suspend());
  await microvm.ask(); // fails when it has ended
  if (!world.upheavals.wasSince(before)) throw new Broken(`${microvm.microvmId} slept without its app's word`);
  fate.spare("suspend hook ignored"); // a new server has asked the app once more
}

/** The main process ends by itself. */
export async function endApp({ microvm, fate, world }: Tenancy): Promise<void> {
  const before = world.upheavals.mark;
  fate.deal("app ended");
  await microvm.send({ path: "/exit" }).catch(() => {});
  await microvm.ask();
  if (!world.upheavals.wasSince(before)) throw new Broken(`${microvm.microvmId} answers after its app's end`);
  fate.spare("app ended");
}

/** Whether there was such a process. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false; // it ended by itself
  }
}
