import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { AppError } from "../../errors/app-error.ts";
import { PAGE_BYTES, type PageRun, type RamMapping } from "./page-map.ts";

/**
 * A page difference on disk, little-endian:
 *   header   "CATNAPD1", u32 number of runs, u32 number of pages, u32 CRC-32 of index and pages, u32 zero
 *   index    per run: u32 first page, u32 pages
 *   pages    the runs' bytes, in the index's order, starting at the next page boundary
 */
const MAGIC = Buffer.from("CATNAPD1");
const HEADER_BYTES = 24;
const RUN_BYTES = 8;
/** Copied at a time. */
const CHUNK_BYTES = 1024 * 1024;

const aligned = (bytes: number) => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

/** Writes the changed pages of a stopped process to `file`, which is on disk when this resolves. Returns its size. */
export async function writeDifference(
  file: string,
  pid: number,
  mapping: RamMapping,
  runs: readonly PageRun[],
): Promise<number> {
  const memory = await open(`/proc/${pid}/mem`, "r");
  const output = await open(file, "w", 0o600).catch(async (cause: unknown) => {
    await memory.close();
    throw cause;
  });
  try {
    const index = encodeIndex(runs);
    const dataStart = aligned(HEADER_BYTES + index.length);
    let checksum = crc32(index);
    let position = dataStart;
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (const piece of pieces(runs, CHUNK_BYTES)) {
      let filled = 0;
      for (const run of piece) {
        const bytes = run.pages * PAGE_BYTES;
        await readFully(memory, chunk.subarray(filled, filled + bytes), mapping.address + run.firstPage * PAGE_BYTES);
        filled += bytes;
      }
      const block = chunk.subarray(0, filled);
      checksum = crc32(block, checksum);
      await output.write(block, 0, filled, position);
      position += filled;
    }
    const pages = runs.reduce((sum, run) => sum + run.pages, 0);
    await output.write(Buffer.concat([encodeHeader(runs.length, pages, checksum), index]), 0, undefined, 0);
    await output.truncate(Math.max(position, dataStart));
    await output.datasync();
    return position;
  } finally {
    await Promise.all([memory.close(), output.close()]);
  }
}

/** Puts a difference into a process that has not run yet; ERR_ENGINE_SNAPSHOT when the file is not intact. */
export async function applyDifference(file: string, pid: number, mapping: RamMapping): Promise<void> {
  const input = await open(file, "r");
  const memory = await open(`/proc/${pid}/mem`, "r+").catch(async (cause: unknown) => {
    await input.close();
    throw cause;
  });
  try {
    const { runs, checksum: expected, index } = await readIndex(input, mapping);
    let checksum = crc32(index);
    let position = aligned(HEADER_BYTES + index.length);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (const piece of pieces(runs, CHUNK_BYTES)) {
      const bytes = piece.reduce((sum, run) => sum + run.pages, 0) * PAGE_BYTES;
      const block = chunk.subarray(0, bytes);
      await readFully(input, block, position);
      checksum = crc32(block, checksum);
      position += bytes;
      let taken = 0;
      for (const run of piece) {
        const size = run.pages * PAGE_BYTES;
        await writeFully(memory, block.subarray(taken, taken + size), mapping.address + run.firstPage * PAGE_BYTES);
        taken += size;
      }
    }
    if (checksum !== expected) throw damaged(file, "its checksum does not match");
  } finally {
    await Promise.all([input.close(), memory.close()]);
  }
}

async function readIndex(
  input: FileHandle,
  mapping: RamMapping,
): Promise<{ runs: PageRun[]; checksum: number; index: Buffer }> {
  const header = Buffer.alloc(HEADER_BYTES);
  await readFully(input, header, 0);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged("page difference", "it has no such header");
  const index = Buffer.alloc(header.readUInt32LE(8) * RUN_BYTES);
  await readFully(input, index, HEADER_BYTES);
  const runs: PageRun[] = [];
  for (let at = 0; at < index.length; at += RUN_BYTES) {
    runs.push({ firstPage: index.readUInt32LE(at), pages: index.readUInt32LE(at + 4) });
  }
  if (runs.some((run) => (run.firstPage + run.pages) * PAGE_BYTES > mapping.bytes))
    throw damaged("page difference", "it reaches beyond the memory");
  return { runs, checksum: header.readUInt32LE(16), index };
}

function encodeHeader(runs: number, pages: number, checksum: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(runs, 8);
  header.writeUInt32LE(pages, 12);
  header.writeUInt32LE(checksum, 16);
  return header;
}

function encodeIndex(runs: readonly PageRun[]): Buffer {
  const index = Buffer.alloc(runs.length * RUN_BYTES);
  runs.forEach((run, at) => {
    index.writeUInt32LE(run.firstPage, at * RUN_BYTES);
    index.writeUInt32LE(run.pages, at * RUN_BYTES + 4);
  });
  return index;
}

/** Groups runs into pieces of at most `limit` bytes, splitting long ones. */
function* pieces(runs: readonly PageRun[], limit: number): Generator<PageRun[]> {
  const limitPages = limit / PAGE_BYTES;
  let piece: PageRun[] = [];
  let room = limitPages;
  for (const run of runs) {
    let { firstPage, pages } = run;
    while (pages > 0) {
      const taken = Math.min(pages, room);
      piece.push({ firstPage, pages: taken });
      firstPage += taken;
      pages -= taken;
      room -= taken;
      if (room > 0) continue;
      yield piece;
      piece = [];
      room = limitPages;
    }
  }
  if (piece.length > 0) yield piece;
}

async function readFully(from: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await from.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw damaged("page difference", "it ended early");
    done += bytesRead;
  }
}

async function writeFully(to: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await to.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

function damaged(what: string, why: string): AppError {
  return new AppError("ERR_ENGINE_SNAPSHOT", { message: `The ${what} cannot be used: ${why}` });
}
