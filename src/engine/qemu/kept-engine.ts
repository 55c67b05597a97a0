import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { fileChecksum } from "../../util/file-checksum.ts";
import { writeFileDurably } from "../../util/write-file-durably.ts";
import { findLibraries, type EnginePart } from "./monitor-parts.ts";

/** What an engine's directory says of itself; it is complete once this file is there. */
const MANIFEST = "engine.json";
export const KERNEL = "kernel";
export const INITRAMFS = "initramfs";

const manifestSchema = z.object({
  fingerprint: z.string().regex(/^[0-9a-f]{16}$/),
  /** What templates of before engines were kept call this one. */
  formerFingerprint: z.string().optional(),
  acceleration: z.enum(["kvm", "tcg"]),
  /** First line of what the monitor says of its version. */
  version: z.string(),
  program: z.string(),
  /** With placeholders. */
  cloneArguments: z.array(z.string()),
  /** Where firmware is looked for that is not kept. */
  firmwarePlaces: z.array(z.string().startsWith("/")),
  /** By name below the directory. */
  files: z.record(z.string(), z.object({ bytes: z.number(), checksum: z.number() })),
});

export type EngineManifest = z.infer<typeof manifestSchema>;

/** An engine as it was when it was found on the host. */
export interface EngineDescription extends Omit<EngineManifest, "fingerprint" | "files"> {
  /** A number that grows when snapshots are written in another way. */
  readonly snapshotFormat: number;
  /** Monitor, firmware, kernel and initramfs. */
  readonly parts: readonly EnginePart[];
}

/**
 * Monitor, firmware, kernel and guest agent as they were when a snapshot was made, with the command line of its clones. A
 * QEMU `microvm` machine has no versions, so nobody promises that another build of QEMU loads its state: what sleeps goes
 * on with the very engine it fell asleep with, whatever a package manager put in its place since.
 */
export interface KeptEngine {
  readonly directory: string;
  readonly manifest: EngineManifest;
}

/** Names an engine by its content. Libraries are not part of it: they do not change what a snapshot means. */
export async function describeEngine(description: EngineDescription): Promise<EngineManifest> {
  const { parts, snapshotFormat, ...rest } = description;
  const files = await checksumsOf(parts);
  const { version, cloneArguments } = rest;
  const named = [
    version,
    snapshotFormat,
    cloneArguments,
    Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ];
  const fingerprint = createHash("sha256").update(JSON.stringify(named)).digest("hex").slice(0, 16);
  return { ...rest, files, fingerprint };
}

/** Copies an engine into `directory` unless it is there; a crash meanwhile leaves nothing that would be taken for one. */
export async function keepEngine(
  directory: string,
  manifest: EngineManifest,
  parts: readonly EnginePart[],
): Promise<KeptEngine> {
  const kept = await readEngine(directory);
  if (kept !== undefined && (await hasAllFiles(kept))) return kept;
  const making = join(dirname(directory), `${randomUUID()}.new`);
  try {
    const libraries = await findLibraries(parts.filter(({ from }) => isLinked(from)).map(({ from }) => from));
    for (const { name, from } of [...parts, ...libraries]) {
      const to = join(making, name);
      await mkdir(dirname(to), { recursive: true, mode: 0o755 });
      await copyFile(from, to, constants.COPYFILE_FICLONE);
    }
    const files = { ...manifest.files, ...(await checksumsOf(libraries)) };
    await writeFileDurably(join(making, MANIFEST), JSON.stringify({ ...manifest, files }, null, 2));
    await rm(directory, { recursive: true, force: true });
    await rename(making, directory);
  } catch (cause) {
    await rm(making, { recursive: true, force: true });
    throw cause;
  }
  return { directory, manifest };
}

/** Undefined where there is none, or none that is complete. */
export async function readEngine(directory: string): Promise<KeptEngine | undefined> {
  const text = await readFile(join(directory, MANIFEST), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = manifestSchema.safeParse(parseJson(text));
  return parsed.success ? { directory, manifest: parsed.data } : undefined;
}

/** The names of files that are not as they were kept. */
export async function damagedFiles({ directory, manifest }: KeptEngine): Promise<string[]> {
  const damaged: string[] = [];
  for (const [name, { checksum }] of Object.entries(manifest.files)) {
    if ((await fileChecksum(join(directory, name)).catch(() => undefined)) !== checksum) damaged.push(name);
  }
  return damaged;
}

/** Quick: a copy that a power failure cut short. */
async function hasAllFiles({ directory, manifest }: KeptEngine): Promise<boolean> {
  const right = Object.entries(manifest.files).map(([name, { bytes }]) =>
    stat(join(directory, name)).then(
      ({ size }) => size === bytes,
      () => false,
    ),
  );
  return (await Promise.all(right)).every(Boolean);
}

async function checksumsOf(parts: readonly EnginePart[]): Promise<EngineManifest["files"]> {
  const files: EngineManifest["files"] = {};
  for (const { name, from } of parts) {
    const [{ size }, checksum] = await Promise.all([stat(from), fileChecksum(from)]);
    files[name] = { bytes: size, checksum };
  }
  return files;
}

/** Whether a part is a program or a module, rather than something that it loads. */
function isLinked(path: string): boolean {
  return path.endsWith(".so") || /qemu-system-[^/]+$/.test(path);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
