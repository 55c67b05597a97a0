import { statfs } from "node:fs/promises";
import { AppError } from "../errors/app-error.ts";

const MIB = 1024 * 1024;
/** Of the disk, kept free where nobody says how much. */
const RESERVE_SHARE = 0.05;
const MIN_RESERVE_MIB = 512;
const MAX_RESERVE_MIB = 16 * 1024;
/** What sleeps may use the reserve up to here when it wakes: it brings little along, and may write more. */
const WAKE_SHARE = 0.25;
const EXHAUSTED_MIB = 16;
const WATCH_MS = 1_000;

export interface DiskSpace {
  readonly totalMiB: number;
  readonly freeMiB: number;
}

export interface DiskReserveOptions {
  /** Somewhere on the disk. */
  readonly directory: string;
  /** "auto" is a share of the disk. */
  readonly reserveMiB: number | "auto";
  readonly readSpace?: (directory: string) => Promise<DiskSpace>;
}

export interface DiskWatch {
  /** Aborted with the fault once the disk is below the reserve. */
  readonly signal: AbortSignal;
  stop(): void;
}

/**
 * Disk kept free, so that there is room for what must be written: sleeping microVMs, and the state of all. What can be
 * refused is refused before that room is touched.
 */
export class DiskReserve {
  readonly #directory: string;
  readonly #reserveMiB: number | "auto";
  readonly #readSpace: (directory: string) => Promise<DiskSpace>;

  constructor({ directory, reserveMiB, readSpace = readDiskSpace }: DiskReserveOptions) {
    this.#directory = directory;
    this.#reserveMiB = reserveMiB;
    this.#readSpace = readSpace;
  }

  /** Throws ERR_DISK_FULL unless there is room for something new. */
  requireRoom(): Promise<void> {
    return this.#require(1);
  }

  /** Throws ERR_DISK_FULL unless there is room for a sleeper that wakes. */
  requireRoomToWake(): Promise<void> {
    return this.#require(WAKE_SHARE);
  }

  /** Whether next to nothing is left, so that whatever just failed is likely to have failed for that. */
  async isExhausted(): Promise<boolean> {
    return (await this.#readSpace(this.#directory)).freeMiB < EXHAUSTED_MIB;
  }

  /** Until it is stopped. */
  watch(): DiskWatch {
    const full = new AbortController();
    const timer = setInterval(() => this.requireRoom().catch((fault: unknown) => full.abort(fault)), WATCH_MS);
    timer.unref();
    return { signal: full.signal, stop: () => clearInterval(timer) };
  }

  async #require(share: number): Promise<void> {
    const { totalMiB, freeMiB } = await this.#readSpace(this.#directory);
    const wantedMiB = share * this.#reserveOf(totalMiB);
    if (freeMiB >= wantedMiB) return;
    throw new AppError("ERR_DISK_FULL", {
      message: `The disk of this host is full: ${Math.floor(freeMiB)} MiB are free, and ${Math.ceil(wantedMiB)} MiB are kept free (CATNAP_DISK_RESERVE_MIB). Make room: end microVMs, delete images or objects, or give the host more disk`,
    });
  }

  #reserveOf(totalMiB: number): number {
    if (this.#reserveMiB !== "auto") return this.#reserveMiB;
    return Math.min(Math.max(MIN_RESERVE_MIB, totalMiB * RESERVE_SHARE), MAX_RESERVE_MIB);
  }
}

/** Whether an error came about because a disk is full, as far as it or its causes tell. */
export function isDiskFull(cause: unknown): boolean {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof AppError && error.code === "ERR_DISK_FULL") return true;
    if ((error as NodeJS.ErrnoException).code === "ENOSPC" || /no space left on device|ENOSPC/i.test(error.message))
      return true;
  }
  return false;
}

async function readDiskSpace(directory: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return { totalMiB: (blocks * bsize) / MIB, freeMiB: (bavail * bsize) / MIB };
}
