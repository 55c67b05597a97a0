import { mkdir, mkdtemp, rm, statfs, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { mustRun, runProgram } from "./project.ts";

const MIB = 1024 * 1024;

export interface SmallDisk {
  /** Where it is mounted. */
  readonly directory: string;
  freeMiB(): Promise<number>;
  /** Takes all but so many MiB. */
  leave(mib: number): Promise<void>;
  /** Gives back what `leave` took. */
  release(): Promise<void>;
}

/** A file system of its own, of so many MiB, of which nothing is kept for root. */
export async function useSmallDisk(mib: number): Promise<SmallDisk> {
  const parent = await mkdtemp(join(tmpdir(), "catnap-disk-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const [image, directory] = [join(parent, "image"), join(parent, "home")];
  await writeFile(image, "");
  await truncate(image, mib * MIB);
  await mkdir(directory);
  await mustRun("mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", image]);
  await mustRun("mount", ["-o", "loop", image, directory]);
  onTestFinished(async () => void (await runProgram("umount", ["--lazy", directory])));
  const ballast = join(directory, "ballast");
  const freeMiB = async () => {
    const { bavail, bsize } = await statfs(directory);
    return (bavail * bsize) / MIB;
  };
  return {
    directory,
    freeMiB,
    async leave(left) {
      await rm(ballast, { force: true });
      const bytes = Math.floor(((await freeMiB()) - Math.max(left, 1)) * MIB);
      await mustRun("fallocate", ["-l", String(bytes), ballast]);
      // What is left of the estimate, to the last block; a file system of its own tables takes some.
      if (left === 0) await runProgram("dd", ["if=/dev/zero", `of=${ballast}.rest`, "bs=4k", "status=none"]);
    },
    async release() {
      await rm(ballast, { force: true });
      await rm(`${ballast}.rest`, { force: true });
    },
  };
}
