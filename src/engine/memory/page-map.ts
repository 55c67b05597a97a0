import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { AppError } from "../../errors/app-error.ts";

export const PAGE_BYTES = 4096;
const ENTRY_BYTES = 8;
/** Page table entries read at a time: 1 MiB of pagemap covers 512 MiB of guest memory. */
const CHUNK_ENTRIES = 131_072;

/** Bits of the upper half of a pagemap entry (kernel documentation, pagemap.rst). */
const PRESENT = 1 << 31;
const SWAPPED = 1 << 30;
const FILE_OR_SHARED = 1 << 29;

/** Where guest memory lies in a monitor process: addresses fit a double, they are below 2^47. */
export interface RamMapping {
  readonly address: number;
  readonly bytes: number;
}

/** Consecutive guest pages. */
export interface PageRun {
  readonly firstPage: number;
  readonly pages: number;
}

/**
 * Finds the mapping of the memory file in a process; it is one piece whatever the guest's own layout. ERR_ENGINE_MEMORY for
 * a process that is gone.
 */
export function findRamMapping(pid: number, memoryFile: string): RamMapping {
  let mapping: RamMapping | undefined;
  for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
    if (!line.endsWith(` ${memoryFile}`)) continue;
    const [from = 0, to = 0] = line
      .slice(0, line.indexOf(" "))
      .split("-")
      .map((hex) => Number.parseInt(hex, 16));
    // The kernel lists neighbouring pieces apart when their flags differ.
    if (mapping !== undefined && mapping.address + mapping.bytes !== from) continue;
    mapping = { address: mapping?.address ?? from, bytes: (mapping?.bytes ?? 0) + to - from };
  }
  if (mapping === undefined)
    throw new AppError("ERR_ENGINE_MEMORY", { message: `Process ${pid} does not map ${memoryFile}` });
  return mapping;
}

export interface FoundPages {
  /** What a private mapping owns: anonymous (present, not from the file) or swapped out. All else needs no saving. */
  readonly own: readonly PageRun[];
  /** Pages of the file that the process has mapped: those it read, and their neighbours. */
  readonly read: readonly PageRun[];
}

export function findPages(pid: number, mapping: RamMapping): FoundPages {
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    return scan(pagemap, mapping);
  } finally {
    closeSync(pagemap);
  }
}

function scan(pagemap: number, mapping: RamMapping): FoundPages {
  const found = { own: new Runs(), read: new Runs() };
  const total = mapping.bytes / PAGE_BYTES;
  const words = new Uint32Array(CHUNK_ENTRIES * 2);
  const bytes = new Uint8Array(words.buffer);
  for (let first = 0; first < total; first += CHUNK_ENTRIES) {
    const count = Math.min(CHUNK_ENTRIES, total - first);
    const at = (mapping.address / PAGE_BYTES + first) * ENTRY_BYTES;
    if (readSync(pagemap, bytes, 0, count * ENTRY_BYTES, at) !== count * ENTRY_BYTES)
      throw new AppError("ERR_ENGINE_MEMORY", { message: "The page map ended early" });
    for (let index = 0; index < count; index++) {
      const upper = words[index * 2 + 1] as number;
      if (upper === 0) continue;
      if ((upper & (SWAPPED | PRESENT)) === 0) continue;
      const isOwn = (upper & SWAPPED) !== 0 || (upper & FILE_OR_SHARED) === 0;
      (isOwn ? found.own : found.read).add(first + index);
    }
  }
  return { own: found.own.all, read: found.read.all };
}

/** Collects pages, in ascending order, as runs. */
class Runs {
  readonly all: { firstPage: number; pages: number }[] = [];

  add(page: number): void {
    const last = this.all.at(-1);
    if (last !== undefined && last.firstPage + last.pages === page) last.pages++;
    else this.all.push({ firstPage: page, pages: 1 });
  }
}
