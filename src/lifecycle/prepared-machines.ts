import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltImage } from "../build/image-builder.ts";
import type { Engine, Machine } from "../engine/engine.ts";
import type { GuestAddress, GuestLink } from "../guest-link/guest-link.ts";
import { rehearseWake } from "../guest-link/wake-guest.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import type { Log } from "../observability/log.ts";
import type { DiskReserve } from "../util/disk-reserve.ts";
import type { HostCapacity } from "./host-capacity.ts";

/** A clone that waits, stopped, and whose app has not run one instruction. */
export interface PreparedMachine {
  readonly machine: Machine;
  readonly slot: SlotLease;
}

export interface PreparedMachinesOptions {
  readonly engine: Engine;
  readonly slots: { acquire(): Promise<SlotLease> };
  readonly openLink: (address: GuestAddress) => GuestLink;
  readonly log: Log;
  readonly capacity?: Pick<HostCapacity, "isAmple">;
  readonly disk?: Pick<DiskReserve, "requireRoom">;
  /** Holds a folder per prepared machine. */
  readonly directory: string;
  /** Kept ready for each image that was run lately; 0 keeps none. */
  readonly perImage: number;
  /** Milliseconds without a run after which an image's machines are given up. */
  readonly keepMs?: number;
  /** Milliseconds after a run before the next machine is made: the new microVM's first request comes first. */
  readonly delayMs?: number;
}

/** Of all images together. */
const MAX_PREPARED = 8;
const KEEP_MS = 5 * 60_000;
const DELAY_MS = 1_000;

interface Shelf {
  readonly image: BuiltImage;
  readonly ready: PreparedMachine[];
  refill: NodeJS.Timeout | undefined;
  expiry: NodeJS.Timeout | undefined;
  making: Promise<void>;
  isGone: boolean;
}

/**
 * Clones of busy images, started ahead: a run then only moves one into its place. Where the app is frozen in the
 * snapshot the guest's own part of a wake is rehearsed too, so that an emulator has translated it; a guest whose app
 * would run stays at its first instruction. They are about 30 MB each, stopped, and belong to nobody, so a server that
 * starts removes them.
 */
export class PreparedMachines {
  readonly #options: PreparedMachinesOptions;
  readonly #shelves = new Map<string, Shelf>();
  #isClosed = false;

  constructor(options: PreparedMachinesOptions) {
    this.#options = options;
  }

  /** Removes what a killed server left. */
  async recover(): Promise<void> {
    const { engine, directory } = this.#options;
    await engine.killStrays(directory, new Set());
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  /** A machine of the build's image, or none; either way the next run is likely to find one. */
  take(buildId: string, image: BuiltImage): PreparedMachine | undefined {
    if (this.#isClosed || this.#options.perImage === 0) return undefined;
    let shelf = this.#shelves.get(buildId);
    if (shelf !== undefined && shelf.image.template.directory !== image.template.directory) {
      // Of a template that another has replaced since.
      this.release(buildId).catch((err: unknown) => this.#options.log.warn({ err }, "a prepared machine did not end"));
      shelf = undefined;
    }
    shelf ??= this.#newShelf(buildId, image);
    const taken = shelf.ready.shift();
    this.#schedule(buildId, shelf);
    return taken;
  }

  /** Ends the machines of an image that is about to be removed. */
  async release(buildId: string): Promise<void> {
    const shelf = this.#shelves.get(buildId);
    if (shelf === undefined) return;
    this.#shelves.delete(buildId);
    shelf.isGone = true;
    clearTimeout(shelf.refill);
    clearTimeout(shelf.expiry);
    await shelf.making;
    await Promise.all(shelf.ready.splice(0).map((prepared) => discard(prepared)));
  }

  /** Ends one machine, because its memory is wanted; false when there is none. */
  async giveUpOne(): Promise<boolean> {
    for (const { ready } of this.#shelves.values()) {
      const one = ready.pop();
      if (one === undefined) continue;
      await discard(one);
      return true;
    }
    return false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#shelves.keys()].map((buildId) => this.release(buildId)));
  }

  #newShelf(buildId: string, image: BuiltImage): Shelf {
    const shelf: Shelf = {
      image,
      ready: [],
      refill: undefined,
      expiry: undefined,
      making: Promise.resolve(),
      isGone: false,
    };
    this.#shelves.set(buildId, shelf);
    return shelf;
  }

  #schedule(buildId: string, shelf: Shelf): void {
    const { delayMs = DELAY_MS, keepMs = KEEP_MS } = this.#options;
    clearTimeout(shelf.refill);
    clearTimeout(shelf.expiry);
    shelf.refill = setTimeout(() => (shelf.making = shelf.making.then(() => this.#fill(shelf))), delayMs).unref();
    shelf.expiry = setTimeout(() => void this.release(buildId), keepMs).unref();
  }

  async #fill(shelf: Shelf): Promise<void> {
    while (!shelf.isGone && shelf.ready.length < this.#options.perImage && this.#count() < MAX_PREPARED) {
      try {
        if ((await this.#options.capacity?.isAmple()) === false) return;
        await this.#options.disk?.requireRoom();
        const prepared = await this.#make(shelf.image);
        shelf.ready.push(prepared);
        void prepared.machine.exited.then(() => this.#onExited(shelf, prepared));
      } catch (err) {
        // A run that finds none starts its own and meets the same fault, if it is still there.
        this.#options.log.warn({ err }, "no machine could be prepared");
        return;
      }
    }
  }

  /** One that ends by itself gives its place back. The next run has another made: one that cannot live is not made for ever. */
  #onExited(shelf: Shelf, prepared: PreparedMachine): void {
    const at = shelf.ready.indexOf(prepared);
    if (at < 0) return; // it was taken, or ended by us
    shelf.ready.splice(at, 1);
    this.#options.log.warn({ slot: prepared.slot.number }, "a prepared machine is gone");
    shelf.making = shelf.making
      .then(() => discard(prepared))
      .catch((err: unknown) => this.#options.log.warn({ err }, "a prepared machine did not end"));
  }

  async #make({ template, rootfs, isFrozen = false }: BuiltImage): Promise<PreparedMachine> {
    const { engine, slots, openLink } = this.#options;
    const directory = join(this.#options.directory, randomUUID());
    const slot = await slots.acquire();
    try {
      const spec = { directory, template, rootfs, network: slot.network, isPaused: !isFrozen };
      const machine = await engine.restore(spec);
      if (isFrozen) await rehearse(machine, openLink(slot.guest));
      return { machine, slot };
    } catch (cause) {
      await slot.release();
      await rm(directory, { recursive: true, force: true });
      throw cause;
    }
  }

  #count(): number {
    return [...this.#shelves.values()].reduce((sum, { ready }) => sum + ready.length, 0);
  }
}

async function rehearse(machine: Machine, link: GuestLink): Promise<void> {
  try {
    await rehearseWake(link);
    await machine.pause();
  } catch (cause) {
    await machine.kill();
    throw cause;
  }
}

async function discard({ machine, slot }: PreparedMachine): Promise<void> {
  await machine.kill();
  await slot.release();
  await rm(machine.handle.directory, { recursive: true, force: true });
}
