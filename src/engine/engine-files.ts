import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "./engine.ts";

/**
 * Removes a sleeper's difference once its machine runs again: its disk has moved on, the difference is of the past. What a
 * suspend left unfinished goes too.
 */
export async function discardDifference(directory: string): Promise<void> {
  const names = [ENGINE_FILES.changedPages, ENGINE_FILES.devices, ENGINE_FILES.upperSeal].flatMap((name) => [
    name,
    `${name}.new`,
  ]);
  await Promise.all(names.map((name) => rm(join(directory, name), { force: true })));
}
