import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { applyDifference, writeDifference } from "./page-difference.ts";
import { findOwnPages, findRamMapping } from "./page-map.ts";

/** Work on a stopped machine's memory: thousands of short reads and writes, which belong on a thread of their own. */
export interface DifferenceJob {
  readonly work: "save" | "load";
  readonly pid: number;
  /** The template's memory, which the process maps privately. */
  readonly base: string;
  readonly file: string;
  /** Brought to disk as well: what the guest wrote to it is still on its way. */
  readonly alsoSync?: string;
}

/** Bytes of the difference, for a save. */
export function runDifferenceJob({ work, pid, base, file, alsoSync }: DifferenceJob): number {
  const source = { pid, base, mapping: findRamMapping(pid, base) };
  if (work === "load") {
    applyDifference(file, source);
    return 0;
  }
  const bytes = writeDifference(file, source, findOwnPages(pid, source.mapping));
  if (alsoSync !== undefined) syncFile(alsoSync);
  return bytes;
}

function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
