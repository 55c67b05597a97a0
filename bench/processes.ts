import { readdir, readFile } from "node:fs/promises";
import { cpuSecondsOf } from "../src/engine/qemu/machine-reading.ts";

/** What processes used: CPU time of user and kernel so far, and memory with shared pages divided among their users. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly pssBytes: number;
}

/** Summed over processes; one that is gone counts as nothing. */
export async function usageOf(pids: readonly number[]): Promise<Usage> {
  const each = await Promise.all(
    pids.map(async (pid) => ({
      cpuSeconds: await cpuSecondsOf(pid).catch(() => 0),
      pssBytes: await pssOf(pid).catch(() => 0),
    })),
  );
  return {
    cpuSeconds: each.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    pssBytes: each.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
  };
}

async function pssOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** A process and all its descendants. */
export async function treeOf(root: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    }),
  );
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Bytes that new processes can have without swapping anything out. */
export async function availableMemory(): Promise<number> {
  return (await memoryInfo())["MemAvailable"] ?? 0;
}

/** /proc/meminfo in bytes. */
export async function memoryInfo(): Promise<Record<string, number>> {
  const text = await readFile("/proc/meminfo", "utf8");
  return Object.fromEntries(
    [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map((match) => [match[1], Number(match[2]) * 1024]),
  );
}

/** Shared pages in full. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
