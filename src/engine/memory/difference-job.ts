import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { applyDifference, writeDifference } from "./page-difference.ts";
import { findPages, findRamMapping } from "./page-map.ts";
import { writeWorkingSet } from "./working-set.ts";

/** Work on a stopped machine's memory: thousands of short reads and writes, which belong on a thread of their own. */
export interface DifferenceJob {
  /** "note": only the working set, of a machine that may run. */
  readonly work: "save" | "load" | "note";
  readonly pid: number;
  /** The template's memory, which the process maps privately. */
  readonly base: string;
  /** The difference to write or to load; none for a note. */
  readonly file: string;
  /** Gets the pages of the template that the machine has read, as a hint to its next start. */
  readonly workingSet?: string;
  /** Brought to disk as well: what the guest wrote to it is still on its way. */
  readonly alsoSync?: string;
}

/** Bytes of the difference, for a save. */
export function runDifferenceJob({ work, pid, base, file, workingSet, alsoSync }: DifferenceJob): number {
  const source = { pid, base, mapping: findRamMapping(pid, base) };
  if (work === "load") {
    applyDifference(file, source);
    return 0;
  }
  const { own, read } = findPages(pid, source.mapping);
  if (workingSet !== undefined) writeWorkingSet(workingSet, read);
  if (work === "note") return 0;
  const bytes = writeDifference(file, source, own);
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
