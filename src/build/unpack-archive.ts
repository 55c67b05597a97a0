import { constants, createWriteStream } from "node:fs";
import { chmod, lstat, mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { openPromise, type Entry, type ZipFile } from "yauzl";
import { BuildFailure } from "../errors/build-failure.ts";
import { ARCHIVE_LIMITS, linkBehindLink, linkStaysInside, readEntry, type ArchiveEntry } from "./archive-entry.ts";

/** Phase 2: unpacks a hostile zip below `into`, which must be empty; ARCHIVE_… failures say what is wrong with it. */
export async function unpackArchive(
  file: string,
  into: string,
  signal?: AbortSignal,
): Promise<{ entries: number; bytes: number }> {
  const zip = await openPromise(file, {
    lazyEntries: true,
    autoClose: false,
    validateEntrySizes: true,
    strictFileNames: true,
  }).catch((cause: unknown) => {
    throw invalid(`the artifact is not a zip archive: ${(cause as Error).message}`, cause);
  });
  try {
    return await unpackEntries(zip, into, signal);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof BuildFailure || (cause as NodeJS.ErrnoException).code === "ENOSPC") throw cause;
    throw invalid((cause as Error).message, cause);
  } finally {
    zip.close();
  }
}

async function unpackEntries(
  zip: ZipFile,
  into: string,
  signal?: AbortSignal,
): Promise<{ entries: number; bytes: number }> {
  if (zip.entryCount > ARCHIVE_LIMITS.maxEntries)
    throw invalid(`it has more than ${ARCHIVE_LIMITS.maxEntries} entries`);
  const links: { path: string; target: string }[] = [];
  const modes: { path: string; mode: number }[] = [];
  let entries = 0;
  let bytes = 0;
  let packedBytes = 0;
  for await (const raw of zip.eachEntry()) {
    signal?.throwIfAborted();
    const entry = readEntry({ ...pick(raw), isEncrypted: raw.isEncrypted() });
    if (typeof entry === "string") throw invalid(entry);
    entries += 1;
    bytes += raw.uncompressedSize;
    if (bytes > ARCHIVE_LIMITS.maxUnpackedBytes)
      throw invalid(`it unpacks to more than ${ARCHIVE_LIMITS.maxUnpackedBytes} bytes`);
    packedBytes += raw.compressedSize;
    if (packedBytes > zip.fileSize) throw invalid("its entries overlap");
    const path = join(into, entry.path);
    if (entry.kind === "directory") {
      await mkdir(path, { recursive: true });
      modes.push({ path, mode: entry.mode | 0o700 });
    } else if (entry.kind === "symlink") links.push({ path: entry.path, target: await readLink(zip, raw, entry) });
    else await unpackFile(zip, raw, { path, mode: entry.mode });
  }
  const behind = linkBehindLink(links.map(({ path }) => path));
  if (behind !== undefined) throw invalid(`${JSON.stringify(behind)} lies behind a symbolic link`);
  // Links come last: no entry is ever written through one.
  for (const { path, target } of links) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    await symlink(target, join(into, path));
  }
  for (const { path, mode } of modes) await chmod(path, mode);
  return { entries, bytes };
}

function pick({ fileName, externalFileAttributes, versionMadeBy }: Entry) {
  return { fileName, externalFileAttributes, versionMadeBy };
}

/** The size is checked against the entry's own declaration while it streams, so a lying header cannot overrun it. */
async function unpackFile(zip: ZipFile, raw: Entry, { path, mode }: { path: string; mode: number }): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const content: Readable = await zip.openReadStreamPromise(raw);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await pipeline(content, checkSum(raw), createWriteStream(path, { flags: flags as unknown as string, mode })).catch(
    (cause: NodeJS.ErrnoException) => {
      throw cause.code === "EEXIST" ? invalid(`${JSON.stringify(raw.fileName)} occurs twice`, cause) : cause;
    },
  );
  await chmod(path, mode);
}

/** The archive reader leaves the checksum to its caller; an upload cut and mended by zeros has the right length. */
function checkSum(raw: Entry): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
    flush(done) {
      done(sum === raw.crc32 ? null : invalid(`${JSON.stringify(raw.fileName)} is damaged: its checksum is wrong`));
    },
  });
}

async function readLink(zip: ZipFile, raw: Entry, entry: ArchiveEntry): Promise<string> {
  if (raw.uncompressedSize > ARCHIVE_LIMITS.maxSymlinkBytes)
    throw invalid(`${JSON.stringify(entry.path)} is too long a symbolic link`);
  const target = (await buffer(await zip.openReadStreamPromise(raw))).toString("utf8");
  if (!linkStaysInside(entry.path, target))
    throw invalid(`${JSON.stringify(entry.path)} is a symbolic link that leads out of the archive`);
  return target;
}

/** The Dockerfile must be at the top; one a folder deeper is the usual mistake and is named. */
export async function requireDockerfile(directory: string): Promise<void> {
  const found = await lstat(join(directory, "Dockerfile")).catch(() => undefined);
  if (found?.isFile()) return;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const nested =
      entry.isDirectory() && (await lstat(join(directory, entry.name, "Dockerfile")).catch(() => undefined))?.isFile();
    if (nested)
      throw noDockerfile(
        `it is at ${JSON.stringify(`${entry.name}/Dockerfile`)}; zip the folder's contents, not the folder`,
      );
  }
  throw noDockerfile("the artifact has no file named Dockerfile at its top level");
}

function noDockerfile(why: string): BuildFailure {
  return new BuildFailure("ARCHIVE_DOCKERFILE_NOT_FOUND", `ARCHIVE_DOCKERFILE_NOT_FOUND: ${why}`);
}

function invalid(why: string, cause?: unknown): BuildFailure {
  return new BuildFailure("ARCHIVE_INVALID", `ARCHIVE_INVALID: ${why}`, { cause });
}
