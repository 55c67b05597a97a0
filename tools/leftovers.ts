/** Finds what a test run leaves on the host: processes, mounts, network namespaces, network devices, control groups. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Every namespace and control group of the product is named so, and every device of its on the host side. */
const NAMESPACE = /^catnap-/;
const DEVICE = /^cn/;

/** How long a process that is already on its way out may take. */
const GRACE_MS = 2_000;
const POLL_MS = 50;

/** What was there before the run; another server on this host is none of the run's business. */
export interface Stock {
  readonly namespaces: readonly string[];
  readonly devices: readonly string[];
  readonly controlGroups: readonly string[];
}

interface LeftProcess {
  readonly pid: number;
  readonly command: string;
}

export interface Leftovers extends Stock {
  readonly processes: readonly LeftProcess[];
  readonly mounts: readonly string[];
}

export function takeStock(): Stock {
  return {
    namespaces: listDirectory("/run/netns").filter((name) => NAMESPACE.test(name)),
    devices: listDirectory("/sys/class/net").filter((name) => DEVICE.test(name)),
    controlGroups: controlGroups(),
  };
}

/** Compares the host with `before`; processes and mounts are known by the run's own directory. */
export async function findLeftovers(runDirectory: string, before: Stock): Promise<Leftovers> {
  const deadline = performance.now() + GRACE_MS;
  for (;;) {
    const found = look(runDirectory, before);
    if (describeLeftovers(found).length === 0 || performance.now() > deadline) return found;
    await setTimeout(POLL_MS);
  }
}

export function describeLeftovers(leftovers: Leftovers): string[] {
  return [
    ...leftovers.processes.map(({ pid, command }) => `process ${pid}: ${command}`),
    ...leftovers.mounts.map((mount) => `mount ${mount}`),
    ...leftovers.namespaces.map((name) => `network namespace ${name}`),
    ...leftovers.devices.map((name) => `network device ${name}`),
    ...leftovers.controlGroups.map((path) => `control group ${path}`),
  ];
}

/** Ends the run's own processes and mounts, once they are reported, so that the next run starts clean. */
export async function removeLeftovers(leftovers: Leftovers): Promise<void> {
  for (const { pid } of leftovers.processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  if (leftovers.processes.length > 0) await setTimeout(POLL_MS);
  for (const mount of leftovers.mounts.toReversed()) spawnSync("umount", ["--lazy", mount]);
}

export function hasMountsBelow(directory: string): boolean {
  return mountsBelow(directory).length > 0;
}

function look(runDirectory: string, before: Stock): Leftovers {
  const now = takeStock();
  return {
    processes: processesOf(runDirectory),
    mounts: mountsBelow(runDirectory),
    namespaces: now.namespaces.filter((name) => !before.namespaces.includes(name)),
    devices: now.devices.filter((name) => !before.devices.includes(name)),
    controlGroups: now.controlGroups.filter((path) => !before.controlGroups.includes(path)),
  };
}

/** Whatever inherited the run's TMPDIR or names the run's directory in its arguments. */
export function processesOf(runDirectory: string): LeftProcess[] {
  const found: LeftProcess[] = [];
  for (const entry of listDirectory("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (command === "") continue; // a kernel thread, or a zombie that waits for its parent
    const environment = readText(`/proc/${pid}/environ`).split("\0");
    if (environment.includes(`TMPDIR=${runDirectory}`) || command.includes(`${runDirectory}/`)) {
      found.push({ pid, command: command.slice(0, 300) });
    }
  }
  return found;
}

export function mountsBelow(directory: string): string[] {
  const points = readText("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`));
}

/** Of machines, under either version of the interface. */
function controlGroups(): string[] {
  const root = "/sys/fs/cgroup";
  const hierarchies = ["", ...listDirectory(root)];
  const parents = hierarchies.flatMap((name) => [join(name, "catnap"), join(name, "catnap-surplus")]);
  return parents.flatMap((parent) =>
    listDirectory(join(root, parent))
      .filter((name) => NAMESPACE.test(name))
      .map((name) => join(root, parent, name)),
  );
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // no namespaces were ever made
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has gone
  }
}
