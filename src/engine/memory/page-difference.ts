import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { AppError } from "../../errors/app-error.ts";
import {
  decodePage,
  encodePage,
  MAX_ENCODED_PAGE_BYTES,
  PAGE_KIND,
  pageBuffer,
  type PageKind,
} from "./page-encoding.ts";
import { PAGE_BYTES, type PageRun, type RamMapping } from "./page-map.ts";

/**
 * A page difference on disk, little-endian: what a machine's memory differs by from its template's.
 *   header    "CATNAPD2", u32 number of segments, u32 zero
 *   segments  u32 pages, u32 body bytes, u32 stored body bytes, u32 CRC-32 of index and stored body,
 *             index (per page u32 page number × 4 + kind), stored body (zstd, or plain when as long as the body)
 */
const MAGIC = Buffer.from("CATNAPD2");
const HEADER_BYTES = 16;
const SEGMENT_HEADER_BYTES = 16;
/** Pages held in memory at a time. */
const SEGMENT_PAGES = 512;
const MAX_BODY_BYTES = SEGMENT_PAGES * MAX_ENCODED_PAGE_BYTES;
/** Everything here is synchronous, so one set serves all; fresh ones would cost more than the work on them. */
const NOW = pageBuffer(SEGMENT_PAGES);
const BASE = pageBuffer(SEGMENT_PAGES);
const INDEX = Buffer.alloc(SEGMENT_PAGES * 4);
const BODY = Buffer.alloc(MAX_BODY_BYTES);
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** A stopped machine's memory beside the file it was cloned from. */
export interface MemorySource {
  readonly pid: number;
  readonly mapping: RamMapping;
  /** The template's memory. */
  readonly base: string;
}

interface Segment {
  readonly pages: number;
  readonly index: Buffer;
  readonly body: Buffer;
}

/** Writes those of `runs` that differ from the template to `file`, on disk when this returns; answers the file's size. */
export function writeDifference(file: string, source: MemorySource, runs: readonly PageRun[]): number {
  return withFiles([`/proc/${source.pid}/mem`, "r"], [source.base, "r"], [file, "w"], (memory, base, output) => {
    let position = HEADER_BYTES;
    let segments = 0;
    for (const segment of encode(runs, (run, now, template) => {
      readMemory(memory, now, source.mapping.address + run.firstPage * PAGE_BYTES);
      readUpToEnd(base, template, run.firstPage * PAGE_BYTES);
    })) {
      const packed = pack(segment);
      writeFully(output, packed, position);
      position += packed.length;
      segments++;
    }
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(segments, MAGIC.length);
    writeFully(output, header, 0);
    fdatasyncSync(output);
    return position;
  });
}

/**
 * Puts a difference into a process that has not run yet. ERR_ENGINE_SNAPSHOT when the file is not intact, and only then:
 * it costs the microVM its life.
 */
export function applyDifference(file: string, target: MemorySource): void {
  withFiles([`/proc/${target.pid}/mem`, "r+"], [target.base, "r"], [file, "r"], (memory, base, input) => {
    const header = Buffer.alloc(HEADER_BYTES);
    readFully(input, header, 0);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged("it has no such header");
    let position = HEADER_BYTES;
    for (let left = header.readUInt32LE(MAGIC.length); left > 0; left--) {
      const { segment, bytes } = unpack(input, position);
      position += bytes;
      let at = 0;
      for (const run of consecutive(segment, target.mapping)) {
        const pages = NOW.bytes.subarray(0, run.kinds.length * PAGE_BYTES);
        if (run.kinds.includes(PAGE_KIND.lines)) readUpToEnd(base, pages, run.firstPage * PAGE_BYTES);
        run.kinds.forEach((kind, page) => (at += decodePage(kind, segment.body, at, { bytes: pages, page })));
        writeFully(memory, pages, target.mapping.address + run.firstPage * PAGE_BYTES);
      }
    }
  });
}

type ReadRun = (run: PageRun, now: Buffer, base: Buffer) => void;

function* encode(runs: readonly PageRun[], read: ReadRun): Generator<Segment> {
  for (const piece of pieces(runs, SEGMENT_PAGES)) {
    let [pages, end, filled] = [0, 0, 0];
    for (const run of piece) {
      const [from, to] = [filled * PAGE_BYTES, (filled + run.pages) * PAGE_BYTES];
      read(run, NOW.bytes.subarray(from, to), BASE.bytes.subarray(from, to));
      for (let page = 0; page < run.pages; page++) {
        const encoded = encodePage({ now: NOW, base: BASE, page: filled + page }, BODY, end);
        if (encoded === undefined) continue;
        INDEX.writeUInt32LE((run.firstPage + page) * 4 + encoded.kind, pages * 4);
        pages++;
        end += encoded.bytes;
      }
      filled += run.pages;
    }
    if (pages > 0) yield { pages, index: INDEX.subarray(0, pages * 4), body: BODY.subarray(0, end) };
  }
}

function pack({ pages, index, body }: Segment): Buffer {
  const compressed = zstdCompressSync(body, COMPRESSION);
  const stored = compressed.length < body.length ? compressed : body;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  [pages, body.length, stored.length, crc32(stored, crc32(index))].forEach((value, at) =>
    header.writeUInt32LE(value, at * 4),
  );
  return Buffer.concat([header, index, stored]);
}

function unpack(input: number, position: number): { segment: Segment; bytes: number } {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  readFully(input, header, position);
  const [pages = 0, bodyBytes = 0, storedBytes = 0, checksum] = [0, 4, 8, 12].map((at) => header.readUInt32LE(at));
  if (pages > SEGMENT_PAGES || bodyBytes > MAX_BODY_BYTES || storedBytes > bodyBytes)
    throw damaged("a part of it is too long");
  const content = Buffer.allocUnsafe(pages * 4 + storedBytes);
  readFully(input, content, position + SEGMENT_HEADER_BYTES);
  if (crc32(content) !== checksum) throw damaged("its checksum does not match");
  const [index, stored] = [content.subarray(0, pages * 4), content.subarray(pages * 4)];
  const body = storedBytes < bodyBytes ? zstdDecompressSync(stored, { maxOutputLength: bodyBytes }) : stored;
  return { segment: { pages, index, body }, bytes: SEGMENT_HEADER_BYTES + content.length };
}

/** Neighbouring pages of a segment together, in its order. */
function* consecutive(segment: Segment, mapping: RamMapping): Generator<{ firstPage: number; kinds: PageKind[] }> {
  let run: { firstPage: number; kinds: PageKind[] } | undefined;
  for (let at = 0; at < segment.pages; at++) {
    const entry = segment.index.readUInt32LE(at * 4);
    const [page, kind] = [Math.floor(entry / 4), (entry % 4) as PageKind];
    if ((page + 1) * PAGE_BYTES > mapping.bytes) throw damaged("it reaches beyond the memory");
    if (run !== undefined && run.firstPage + run.kinds.length === page) {
      run.kinds.push(kind);
      continue;
    }
    if (run !== undefined) yield run;
    run = { firstPage: page, kinds: [kind] };
  }
  if (run !== undefined) yield run;
}

/** Groups runs into pieces of at most `limit` pages, splitting long ones. */
function* pieces(runs: readonly PageRun[], limit: number): Generator<PageRun[]> {
  let piece: PageRun[] = [];
  let room = limit;
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
      room = limit;
    }
  }
  if (piece.length > 0) yield piece;
}

type Opening = readonly [path: string, flags: string];

function withFiles<T>(
  first: Opening,
  second: Opening,
  third: Opening,
  use: (first: number, second: number, third: number) => T,
): T {
  const open: number[] = [];
  const add = ([path, flags]: Opening) => {
    const file = openSync(path, flags, 0o600);
    open.push(file);
    return file;
  };
  try {
    return use(add(first), add(second), add(third));
  } finally {
    open.forEach((file) => closeSync(file));
  }
}

function readMemory(from: number, into: Buffer, position: number): void {
  if (readUpToEnd(from, into, position) < into.length) throw gone();
}

function readFully(from: number, into: Buffer, position: number): void {
  if (readUpToEnd(from, into, position) < into.length) throw damaged("it ended early");
}

/** Beyond the end of a file everything is zero. */
function readUpToEnd(from: number, into: Buffer, position: number): number {
  let done = 0;
  while (done < into.length) {
    const bytes = readSync(from, into, done, into.length - done, position + done);
    if (bytes === 0) {
      into.fill(0, done);
      break;
    }
    done += bytes;
  }
  return done;
}

function writeFully(to: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) {
    const written = writeSync(to, bytes, done, bytes.length - done, position + done);
    if (written === 0) throw gone(); // only the memory of a process takes nothing and says so without an error
    done += written;
  }
}

function gone(): AppError {
  return new AppError("ERR_ENGINE_MEMORY", { message: "The process ended" });
}

function damaged(why: string): AppError {
  return new AppError("ERR_ENGINE_SNAPSHOT", { message: `The page difference cannot be used: ${why}` });
}
