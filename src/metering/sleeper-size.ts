import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "../engine/engine.ts";

const BLOCK_BYTES = 512;

export interface SleeperSize {
  /** What falling asleep wrote and waking from disk reads: changed memory and device state. */
  readonly writtenBytes: number;
  /** What it takes on disk while it sleeps, its own disk included; holes do not count. */
  readonly storedBytes: number;
}

/** Of the files in a microVM's folder; what is not there counts nothing. */
export async function measureSleeper(microvmsDirectory: string, microvmId: string): Promise<SleeperSize> {
  const files = [ENGINE_FILES.changedPages, ENGINE_FILES.devices, ENGINE_FILES.upper];
  const [pages, devices, disk] = await Promise.all(
    files.map((name) => stat(join(microvmsDirectory, microvmId, name)).catch(() => undefined)),
  );
  const writtenBytes = (pages?.size ?? 0) + (devices?.size ?? 0);
  return { writtenBytes, storedBytes: writtenBytes + (disk?.blocks ?? 0) * BLOCK_BYTES };
}
