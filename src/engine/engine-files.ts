import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "./engine.ts";

/** Removes a sleeper's difference once its machine runs again: its disk has moved on, the difference is of the past. */
export async function discardDifference(directory: string): Promise<void> {
  await Promise.all(
    [ENGINE_FILES.changedPages, ENGINE_FILES.devices].map((name) => rm(join(directory, name), { force: true })),
  );
}
