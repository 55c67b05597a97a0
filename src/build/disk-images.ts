import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../util/run-command.ts";
import { removeTrustTraces } from "./build-trust.ts";
import type { Buildah } from "./buildah.ts";

const MIB = 1024 * 1024;
/** Blocks, directories and the file system's own tables, on top of the files. */
const SLACK_BYTES = 64 * MIB;
const SLACK_RATIO = 1.2;
const BLOCK_BYTES = 4096;
const INODE_SLACK = 1024;
/** The inode itself and, for a folder on a host file system that does not count it, its block. */
const INODE_BYTES = 512;

/**
 * Phase 4: the image's file system as a read-only ext4 image, named by its layers and shared by every image that has the
 * same ones.
 */
export async function makeRootfs(
  buildah: Buildah,
  imageId: string,
  layers: readonly string[],
  directory: string,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const name = createHash("sha256").update(layers.join("\n")).digest("hex");
  const file = join(directory, `${name}.ext4`);
  if (await exists(file)) return file;
  const container = await buildah.line("from", "--pull-never", "--name", `rootfs-${randomUUID()}`, imageId);
  try {
    const tree = await buildah.line("mount", container);
    await removeTrustTraces(tree);
    await formatFrom(tree, file);
  } finally {
    await buildah.run(["umount", container]).catch(() => {});
    await buildah.run(["rm", container]);
  }
  return file;
}

async function formatFrom(tree: string, file: string): Promise<void> {
  const [bytes, inodes] = await Promise.all([diskUsage(tree, "--block-size=1"), diskUsage(tree, "--inodes")]);
  const tables = (inodes + INODE_SLACK) * INODE_BYTES;
  const blocks = Math.ceil((bytes * SLACK_RATIO + tables + SLACK_BYTES) / BLOCK_BYTES);
  // Never written again: no journal, nothing reserved. The journal's absence also keeps equal trees equal in size.
  await makeExt4(file, ["-d", tree, "-N", String(inodes + INODE_SLACK), "-m", "0"], String(blocks));
}

/** Phase 5: an empty writable disk, formatted once per size and copied sparsely. */
export async function makeUpperDisk(directory: string, diskBytes: number, into: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const template = join(directory, `empty-${diskBytes / 1024 ** 3}g.ext4`);
  if (!(await exists(template))) await makeExt4(template, ["-m", "0"], String(diskBytes / BLOCK_BYTES));
  await runCommand("cp", ["--reflink=auto", "--sparse=always", template, into]);
}

async function makeExt4(file: string, options: readonly string[], blocks: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.new`;
  try {
    await runCommand("mke2fs", [
      "-q",
      "-F",
      "-t",
      "ext4",
      "-b",
      String(BLOCK_BYTES),
      "-O",
      "^has_journal,^resize_inode",
      "-E",
      "nodiscard,lazy_itable_init=1",
      ...options,
      temporary,
      blocks,
    ]);
    const handle = await open(temporary, "r");
    await handle.datasync().finally(() => handle.close());
    await rename(temporary, file);
    await syncDirectory(dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

async function diskUsage(tree: string, unit: string): Promise<number> {
  const { stdout } = await runCommand("du", ["--summarize", "--one-file-system", unit, tree]);
  return Number.parseInt(stdout, 10);
}

/** Without this the name may be lost with the power, and with it every image that refers to it. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  await directory.sync().finally(() => directory.close());
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
