import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isDiskFull, type DiskReserve } from "../../util/disk-reserve.ts";
import { startChecksum, type ChecksumAlgorithm } from "../protocol/checksum.ts";
import { entityTooLarge, storageFull } from "./s3-faults.ts";

/** Largest object of one upload, and largest part: 5 GiB. */
const MAX_FILE_BYTES = 5 * 1024 ** 3;

export interface WrittenFile {
  /** Name below the objects directory: random, never made of a key. */
  readonly file: string;
  readonly size: number;
  readonly md5: Buffer;
  /** Base64. */
  readonly checksum: string;
}

export interface ObjectFiles {
  /** Keeps a whole stream on disk or, when it fails, nothing of it. `maxBytes` is 5 GiB unless given. */
  write(
    body: Readable | AsyncIterable<Uint8Array>,
    options: { algorithm: ChecksumAlgorithm; maxBytes?: number },
  ): Promise<WrittenFile>;
  /** Undefined when the file is gone: its object was replaced or deleted meanwhile. */
  open(file: string): Promise<FileHandle | undefined>;
  remove(files: readonly string[]): Promise<void>;
  /** Deletes what no row refers to: left-overs of a crash. */
  sweep(isKnown: (file: string) => boolean): Promise<void>;
}

/** `disk` refuses objects that there is no room for. */
export function createObjectFiles(directory: string, disk?: Pick<DiskReserve, "requireRoom" | "watch">): ObjectFiles {
  const made = mkdir(directory, { recursive: true, mode: 0o700 });
  made.catch(() => {}); // reported by the first call that needs the directory
  return {
    async write(body, { algorithm, maxBytes = MAX_FILE_BYTES }) {
      await made;
      const file = randomUUID();
      const temporary = join(directory, `${file}.new`);
      const meter = new Meter(algorithm, maxBytes);
      const watch = disk?.watch();
      try {
        await disk?.requireRoom();
        const onDisk = createWriteStream(temporary, { flags: "wx", mode: 0o600, flush: true });
        await pipeline(body, meter, onDisk, { signal: watch?.signal });
        await rename(temporary, join(directory, file));
        await syncDirectory(directory);
      } catch (error) {
        await rm(temporary, { force: true });
        const full: unknown = watch?.signal.aborted === true ? watch.signal.reason : error;
        throw isDiskFull(full) ? storageFull(full) : error;
      } finally {
        watch?.stop();
      }
      return { file, ...(await meter.result()) };
    },
    async open(file) {
      try {
        return await open(join(directory, file), "r");
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw cause;
      }
    },
    async remove(files) {
      await Promise.all(files.map((file) => rm(join(directory, file), { force: true })));
    },
    async sweep(isKnown) {
      await made;
      for (const file of await readdir(directory)) if (!isKnown(file)) await rm(join(directory, file), { force: true });
    },
  };
}

/** Counts and hashes what passes. */
class Meter extends Transform {
  readonly #maxBytes: number;
  readonly #md5 = createHash("md5");
  readonly #checksum: ReturnType<typeof startChecksum>;
  #size = 0;

  constructor(algorithm: ChecksumAlgorithm, maxBytes: number) {
    super();
    this.#maxBytes = maxBytes;
    this.#checksum = startChecksum(algorithm);
  }

  override _transform(
    bytes: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, bytes?: Buffer) => void,
  ): void {
    this.#size += bytes.length;
    if (this.#size > this.#maxBytes) return done(entityTooLarge(this.#maxBytes));
    this.#md5.update(bytes);
    this.#checksum.update(bytes);
    done(null, bytes);
  }

  async result(): Promise<Omit<WrittenFile, "file">> {
    return { size: this.#size, md5: this.#md5.digest(), checksum: await this.#checksum.digest() };
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
