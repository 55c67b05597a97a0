import { readFile } from "node:fs/promises";
import { ENGINE_FILES } from "../src/engine/engine.ts";

/** Bytes of one monitor, mean over several: proportional shares of what processes share. */
export interface MonitorMemory {
  /** Guest pages that it changed. */
  readonly guestOwn: number;
  /** Its share of the template's pages, which live in the page cache. */
  readonly guestShared: number;
  /** Code that the emulator made of the guest's. */
  readonly translation: number;
  readonly heap: number;
  readonly files: number;
  readonly pageTables: number;
}

const NONE: MonitorMemory = { guestOwn: 0, guestShared: 0, translation: 0, heap: 0, files: 0, pageTables: 0 };

export async function memoryOfMonitors(pids: readonly number[]): Promise<MonitorMemory> {
  let sum = NONE;
  for (const pid of pids) sum = add(sum, await memoryOf(pid));
  return scale(sum, 1 / Math.max(1, pids.length));
}

async function memoryOf(pid: number): Promise<MonitorMemory> {
  const [smaps, status] = await Promise.all([
    readFile(`/proc/${pid}/smaps`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  const parts = { ...NONE, pageTables: kib(status, "VmPTE") };
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, permissions = "", path = ""] = /^\S+ (\S+) \S+ \S+ \S+ *(.*)$/m.exec(mapping) ?? [];
    const pss = kib(mapping, "Pss");
    if (path.endsWith(ENGINE_FILES.templateMemory)) {
      const own = kib(mapping, "Anonymous");
      parts.guestOwn += own;
      parts.guestShared += pss - own;
    } else if (path.startsWith("/")) parts.files += pss;
    // Only the emulator's code cache is both written and run.
    else if (permissions.startsWith("rwx")) parts.translation += pss;
    else parts.heap += pss;
  }
  return parts;
}

function kib(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
}

function add(a: MonitorMemory, b: MonitorMemory): MonitorMemory {
  const sum: Record<string, number> = {};
  for (const [name, value] of Object.entries(a)) sum[name] = value + (b[name as keyof MonitorMemory] ?? 0);
  return sum as unknown as MonitorMemory;
}

function scale(memory: MonitorMemory, by: number): MonitorMemory {
  return Object.fromEntries(
    Object.entries(memory).map(([name, value]) => [name, value * by]),
  ) as unknown as MonitorMemory;
}
