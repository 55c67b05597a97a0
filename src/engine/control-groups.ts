import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { MachineShape, Priority } from "./engine.ts";

/** What a monitor needs beyond its guest's memory: translated code, page tables, buffers. */
const OVERHEAD_MIB = 512;
const MIB = 1024 * 1024;
/** Threads of one monitor: virtual CPUs and disk workers; far below what a flood of them would need. */
const MAX_TASKS = 256;
/** The kernel's default; both versions start with it. */
const PERIOD_US = 100_000;
/** Of one virtual CPU among other machines, where 1 is what the host's scheduler gives a process. */
const WEIGHT_OF_VCPU = 1 / 4;

/**
 * Groups that machines share beside the host's other groups, and what all in one weigh together. Who keeps to its baseline
 * counts, with all others, for as many processes as there are processors. Who lives beyond it is in a group beside
 * that one: within it, however light, it would stand before the server that answers for the others. It gets a sixteenth of
 * a process: with less it would hold what others wait for, such as a lock of the kernel, for longer than they lose by it.
 */
const PARENTS: Readonly<Record<Priority, { readonly name: string; readonly weight: number }>> = {
  baseline: { name: "catnap", weight: availableParallelism() },
  surplus: { name: "catnap-surplus", weight: 1 / 16 },
};
const PRIORITIES = Object.keys(PARENTS) as Priority[];

const NAME_OF_GROUP = new RegExp(
  `/(?:${PRIORITIES.map((priority) => PARENTS[priority].name).join("|")})/([^/\\s]+)$`,
  "m",
);

const REMOVE_PAUSE_MS = 10;
/** For a group that somebody may use. */
const REMOVE_TRIES = 20;
/** For one that nobody is in: on a busy host it takes the kernel seconds to say so. */
const REMOVE_EMPTY_TRIES = 500;

/** File name in a group → what is written there. */
type Settings = Readonly<Record<string, string>>;

/** A directory of groups and what each machine's group there is set to. */
interface Hierarchy {
  readonly directory: string;
  /** Of the groups that machines share, once. */
  readonly parent?: Settings;
  settings(shape: MachineShape): Settings;
  /** Only where processors are divided. `processes`: how many that compete for them it shall count as. */
  weight?(processes: number): Settings;
}

/**
 * Control groups of machines: what one may take of the host's processors and memory. A machine competes with a weight
 * of its size, so that everybody gets their baseline when all want more, and is held to its peak. It has a group for
 * each priority, and is in one of them.
 */
export class ControlGroups {
  readonly #hierarchies: readonly Hierarchy[];

  constructor(hierarchies: readonly Hierarchy[]) {
    this.#hierarchies = hierarchies;
  }

  /** Control groups are someone else's on some hosts (a container without delegation): machines run unlimited there. */
  get isAvailable(): boolean {
    return this.#hierarchies.length > 0;
  }

  /** Makes the groups of this name, or finds them, and sets their limits; resolves with the files that a process joins them by. */
  async make(name: string, shape: MachineShape): Promise<string[]> {
    const places = this.#places(name);
    await Promise.all(
      places.map(async ({ hierarchy, group }) => {
        await mkdir(group, { recursive: true });
        await set(group, { ...hierarchy.settings(shape), ...hierarchy.weight?.(shape.vcpus * WEIGHT_OF_VCPU) });
      }),
    );
    const joined = places.filter(({ priority }) => priority === "baseline");
    return joined.map(({ group }) => join(group, "cgroup.procs"));
  }

  /** Weighs the processors' time that a machine gets while others want it too. Throws when it has ended. */
  async prefer(name: string, pid: number, priority: Priority): Promise<void> {
    const places = this.#places(name).filter((place) => place.hierarchy.weight && place.priority === priority);
    await Promise.all(places.map(({ group }) => set(group, { "cgroup.procs": String(pid) })));
  }

  /** The name of the group that a process is in; undefined for one that is in none of ours. */
  async nameOf(pid: number): Promise<string | undefined> {
    return NAME_OF_GROUP.exec(await readText(`/proc/${pid}/cgroup`))?.[1];
  }

  /** Removes the groups of a machine whose process is gone. */
  async remove(name: string): Promise<void> {
    await Promise.all(this.#places(name).map(({ group }) => removeGroup(group)));
  }

  /** Removes groups that nobody is in, of names that begin so: while no machine is being started. */
  async removeEmpty(prefix: string): Promise<void> {
    const removals = this.#hierarchies.flatMap(parentsIn).map(async ({ parent }) => {
      const names = await readdir(parent);
      const ours = names.filter((name) => name.startsWith(prefix));
      await Promise.all(ours.map((name) => rmdir(join(parent, name)).catch(() => {})));
    });
    await Promise.all(removals);
  }

  #places(name: string) {
    return this.#hierarchies.flatMap((hierarchy) =>
      parentsIn(hierarchy).map(({ priority, parent }) => ({ hierarchy, priority, group: join(parent, name) })),
    );
  }
}

/** Where no processors are divided, all are in the first. */
function parentsIn({ directory, weight }: Hierarchy): { readonly priority: Priority; readonly parent: string }[] {
  const priorities = weight === undefined ? (["baseline"] as const) : PRIORITIES;
  return priorities.map((priority) => ({ priority, parent: join(directory, PARENTS[priority].name) }));
}

/** Finds what of memory, processors and tasks this host lets us control, under version 2 or 1 of the interface. */
export async function openControlGroups(): Promise<ControlGroups> {
  const mounts = parseGroupMounts(await readFile("/proc/self/mountinfo", "utf8"));
  const candidates = await hierarchiesOf(mounts);
  const usable: Hierarchy[] = [];
  for (const hierarchy of candidates) if (await prepareParents(hierarchy)) usable.push(hierarchy);
  return new ControlGroups(usable);
}

export interface GroupMount {
  readonly version: 1 | 2;
  readonly directory: string;
  /** Version 1 only: the controllers of the hierarchy. */
  readonly controllers: readonly string[];
}

/** Control group mounts of a mountinfo file (proc(5)). */
export function parseGroupMounts(mountInfo: string): GroupMount[] {
  return mountInfo.split("\n").flatMap((line): GroupMount[] => {
    const [before = "", after = ""] = line.split(" - ");
    const [type, , superOptions = ""] = after.split(" ");
    const directory = before.split(" ")[4] ?? "";
    if (type === "cgroup2") return [{ version: 2, directory, controllers: [] }];
    if (type === "cgroup") return [{ version: 1, directory, controllers: superOptions.split(",") }];
    return [];
  });
}

async function hierarchiesOf(mounts: readonly GroupMount[]): Promise<Hierarchy[]> {
  const unified = mounts.find(({ version }) => version === 2);
  const offered = unified === undefined ? "" : await readText(join(unified.directory, "cgroup.controllers"));
  if (unified !== undefined && /\bmemory\b/.test(offered)) {
    const enable = { "cgroup.subtree_control": "+cpu +memory +pids" };
    // The controllers of a group are those that its parent hands on.
    await set(unified.directory, enable).catch(() => {});
    return [{ directory: unified.directory, parent: enable, settings: versionTwo, weight: weightTwo }];
  }
  return Object.entries(VERSION_ONE).flatMap(([controller, hierarchy]) => {
    const mount = mounts.find(({ version, controllers }) => version === 1 && controllers.includes(controller));
    return mount === undefined ? [] : [{ directory: mount.directory, ...hierarchy }];
  });
}

/** The virtual processors are a limit in themselves; this one is for all else a monitor does on behalf of its guest. */
const quotaUs = (vcpus: number) => (vcpus + 1) * PERIOD_US;

function versionTwo({ memoryMiB, vcpus }: MachineShape): Settings {
  return {
    "cpu.max": `${quotaUs(vcpus)} ${PERIOD_US}`,
    "memory.max": String((memoryMiB + OVERHEAD_MIB) * MIB),
    "pids.max": String(MAX_TASKS),
  };
}

/** Both interfaces bound what a group may weigh. */
const weightTwo = (processes: number) => ({ "cpu.weight": String(clamp(Math.round(100 * processes), 1, 10_000)) });
const weightOne = (processes: number) => ({ "cpu.shares": String(clamp(Math.round(1024 * processes), 2, 262_144)) });

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

const VERSION_ONE: Readonly<Record<string, Omit<Hierarchy, "directory">>> = {
  cpu: {
    settings: ({ vcpus }) => ({ "cpu.cfs_quota_us": String(quotaUs(vcpus)) }),
    weight: weightOne,
  },
  memory: {
    settings: ({ memoryMiB }) => ({ "memory.limit_in_bytes": String((memoryMiB + OVERHEAD_MIB) * MIB) }),
  },
  pids: { settings: () => ({ "pids.max": String(MAX_TASKS) }) },
};

async function prepareParents(hierarchy: Hierarchy): Promise<boolean> {
  try {
    for (const { priority, parent } of parentsIn(hierarchy)) {
      await mkdir(parent, { recursive: true });
      await set(parent, { ...hierarchy.parent, ...hierarchy.weight?.(PARENTS[priority].weight) });
    }
    return true;
  } catch {
    return false;
  }
}

async function set(group: string, settings: Settings): Promise<void> {
  await Promise.all(Object.entries(settings).map(([name, value]) => writeFile(join(group, name), value)));
}

/** The kernel counts a process in for a moment after its end. */
async function removeGroup(directory: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY") throw error;
      if (tries >= ((await isInUse(directory)) ? REMOVE_TRIES : REMOVE_EMPTY_TRIES)) return;
      await setTimeout(REMOVE_PAUSE_MS);
    }
  }
}

async function isInUse(directory: string): Promise<boolean> {
  return (await readText(join(directory, "cgroup.procs"))) !== "";
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
