import { readFile } from "node:fs/promises";
import { AppError } from "../errors/app-error.ts";

/** What a machine takes until it is seen in the host's memory: the monitor, and the pages its guest touches first. */
const MACHINE_MIB = 64;
const MIN_RESERVE_MIB = 512;
/** Of the host's memory, kept free where nobody says how much. */
const RESERVE_SHARE = 0.05;

export interface HostMemory {
  readonly totalMiB: number;
  /** What programs can have before the host has to swap: free memory, and page cache that can go. */
  readonly availableMiB: number;
}

export interface HostCapacityOptions {
  readonly readMemory?: () => Promise<HostMemory>;
  /** Kept free for the host and for what running guests still take; "auto" is a share of its memory. */
  readonly reserveMiB: number | "auto";
}

/** A machine's memory, counted until the host's own numbers show it. */
export interface Room {
  release(): void;
}

/**
 * Whether the host has memory for another machine. Machines that only doze, or were started ahead, give theirs up first.
 * Guests are not counted with what they might take but with what they have: most of a guest's memory is its image's.
 */
export class HostCapacity {
  readonly #readMemory: () => Promise<HostMemory>;
  readonly #reserveMiB: number | "auto";
  readonly #yielders: (() => Promise<boolean>)[] = [];
  #startingMiB = 0;

  constructor({ readMemory = readHostMemory, reserveMiB }: HostCapacityOptions) {
    this.#readMemory = readMemory;
    this.#reserveMiB = reserveMiB;
  }

  /** Somebody who can do without a machine: ends one and resolves with true, or with false when there is none. */
  onWanted(giveUpOne: () => Promise<boolean>): void {
    this.#yielders.push(giveUpOne);
  }

  /** Whether there is memory that nobody has to give up: for what is only nice to have. */
  async isAmple(): Promise<boolean> {
    return (await this.#spareMiB()).spareMiB >= 2 * MACHINE_MIB;
  }

  /** Throws ERR_HOST_FULL when nothing more can be given up. */
  async admit(): Promise<Room> {
    for (;;) {
      const { spareMiB, availableMiB, reserveMiB } = await this.#spareMiB();
      if (spareMiB >= MACHINE_MIB) return this.#take();
      if (await this.#giveUpOne()) continue;
      throw new AppError("ERR_HOST_FULL", {
        message: `The host has no memory for another virtual machine: ${Math.floor(availableMiB)} MiB are available, of which ${Math.ceil(reserveMiB)} MiB are kept free (CATNAP_MEMORY_RESERVE_MIB)`,
      });
    }
  }

  async #spareMiB(): Promise<{ spareMiB: number; availableMiB: number; reserveMiB: number }> {
    const { availableMiB, totalMiB } = await this.#readMemory();
    const reserveMiB =
      this.#reserveMiB === "auto" ? Math.max(MIN_RESERVE_MIB, totalMiB * RESERVE_SHARE) : this.#reserveMiB;
    return { spareMiB: availableMiB - this.#startingMiB - reserveMiB, availableMiB, reserveMiB };
  }

  #take(): Room {
    let isHeld = true;
    this.#startingMiB += MACHINE_MIB;
    return {
      release: () => {
        if (isHeld) this.#startingMiB -= MACHINE_MIB;
        isHeld = false;
      },
    };
  }

  async #giveUpOne(): Promise<boolean> {
    for (const giveUpOne of this.#yielders) if (await giveUpOne()) return true;
    return false;
  }
}

async function readHostMemory(): Promise<HostMemory> {
  const text = await readFile("/proc/meminfo", "utf8");
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { totalMiB: mib("MemTotal"), availableMiB: mib("MemAvailable") };
}
