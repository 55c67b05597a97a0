import type { Import } from "./import-levels.ts";

/** Cycles among the imports, each as the files in order, the first again at the end; one cycle per closing import. */
export function findCycles(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, (each) => each.from);
  const finished = new Set<string>();
  const cycles: string[][] = [];

  function visit(file: string, path: readonly string[]): void {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || finished.has(file)) return;
    for (const { to } of targets.get(file) ?? []) visit(to, [...path, file]);
    finished.add(file);
  }

  for (const file of targets.keys()) visit(file, []);
  return cycles;
}
