import { writeFileSync } from "node:fs";
import { PAGE_BYTES, type PageRun } from "./page-map.ts";

/** Runs this near to each other are read as one: the request costs more than the bytes. */
const GAP_PAGES = 16;
/** As many as the launcher takes. */
const MAX_RANGES = 4096;

/**
 * Writes the byte ranges of a template that a machine has read, "offset length" a line, for native/vmm-launch to ask the
 * kernel for while the next monitor starts. A hint: without it, or with a stale one, the pages come when they are touched.
 */
export function writeWorkingSet(file: string, runs: readonly PageRun[]): void {
  const merged: { firstPage: number; pages: number }[] = [];
  for (const { firstPage, pages } of runs) {
    const last = merged.at(-1);
    if (last !== undefined && firstPage - (last.firstPage + last.pages) <= GAP_PAGES)
      last.pages = firstPage + pages - last.firstPage;
    else merged.push({ firstPage, pages });
  }
  const lines = merged
    .slice(0, MAX_RANGES)
    .map(({ firstPage, pages }) => `${firstPage * PAGE_BYTES} ${pages * PAGE_BYTES}\n`);
  try {
    writeFileSync(file, lines.join(""));
  } catch {
    // A full disk, say: what matters is written elsewhere and will tell.
  }
}
