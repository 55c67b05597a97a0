import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES } from "../engine.ts";
import { damagedFile, type SealedFiles } from "../sealed-files.ts";

/** More on a disk than this would cost a sleep and a wake more than it is worth. */
const MAX_SEALED_BYTES = 32 * 1024 * 1024;

/**
 * Of a stopped machine. It counts only together with the difference beside it: a wake takes it away before the guest may
 * write. It is not brought to disk by itself; without it a wake checks nothing.
 */
export async function sealUpper(directory: string, files: SealedFiles): Promise<void> {
  const seal = join(directory, ENGINE_FILES.upperSeal);
  const sum = await files.sumUpTo(join(directory, ENGINE_FILES.upper), MAX_SEALED_BYTES);
  if (sum === undefined) return breakUpperSeal(directory);
  await writeFile(`${seal}.new`, sum, { mode: 0o600 });
  await rename(`${seal}.new`, seal);
}

/** Throws ERR_ENGINE_SNAPSHOT for a sleeper's disk that is not as it was when its machine stopped. */
export async function checkUpper(directory: string, files: SealedFiles): Promise<void> {
  const sealed = await readFile(join(directory, ENGINE_FILES.upperSeal), "utf8").catch(() => undefined);
  if (sealed === undefined || !/^[0-9a-f]{64}$/.test(sealed)) return;
  const upper = join(directory, ENGINE_FILES.upper);
  if ((await files.sumUpTo(upper, Number.MAX_SAFE_INTEGER)) !== sealed) throw damagedFile(upper, "The disk");
}

/** Call before a guest runs on. */
export async function breakUpperSeal(directory: string): Promise<void> {
  await rm(join(directory, ENGINE_FILES.upperSeal), { force: true });
}
