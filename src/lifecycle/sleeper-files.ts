import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "../engine/engine.ts";

/** When a sleeper's memory and devices were saved, in epoch milliseconds; 0 when one of them is missing. */
export async function savedAt(directory: string): Promise<number> {
  const names = [ENGINE_FILES.changedPages, ENGINE_FILES.devices];
  return Math.min(...(await Promise.all(names.map((name) => writtenAt(join(directory, name))))));
}

/**
 * Whether a guest wrote to the disk after `since`, by default since its memory was saved: the two are then not of the same
 * moment, and a machine started from them would damage its own file system. While the disk's seal is there no guest has
 * written: whoever else did, the seal will tell what a wake finds.
 */
export async function hasDiskMovedOn(directory: string, since?: number): Promise<boolean> {
  if ((await writtenAt(join(directory, ENGINE_FILES.upperSeal))) > 0) return false;
  return (await writtenAt(join(directory, ENGINE_FILES.upper))) > (since ?? (await savedAt(directory)));
}

function writtenAt(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
