import type { GuestAddress } from "../guest-link/guest-link.ts";
import type { NetworkAttachment } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import { chooseBlock } from "./block.ts";
import { hostResolver } from "./resolver.ts";
import { existingSlots, limitEgress, makeSlots, removeSlots, setUpHost, tearDownHost } from "./slot-setup.ts";
import {
  attachmentOf,
  guestAddressOf,
  serviceAddress,
  slotAt,
  slotCount,
  slotNumberOf,
  slotPrefix,
  type SlotBlock,
} from "./slot.ts";

/** A network slot in use. */
export interface SlotLease {
  readonly number: number;
  readonly network: NetworkAttachment;
  readonly guest: GuestAddress;
  /** Binds what the guest may connect to; a new slot has the policy "internet". */
  setEgress(policy: EgressPolicy): Promise<void>;
  /** Destroys the slot: the next user gets a fresh one, with no connection state of this one. */
  release(): Promise<void>;
}

export interface SlotPool {
  /** The one address of the host that guests reach, under the addresses of metadata and API. */
  readonly serviceAddress: string;
  /** Names of this home's slots begin so. */
  readonly namePrefix: string;
  /** The slot whose guest calls from this address. */
  numberOf(address: string): number | undefined;
  acquire(): Promise<SlotLease>;
  /** Takes over a slot that outlived the server; undefined when it is gone. */
  adopt(number: number): SlotLease | undefined;
  /** Removes slots of an earlier life that nobody adopted. */
  removeOrphans(): Promise<void>;
  /** Removes spare slots; leased ones stay for the machines that outlive the server. */
  close(): Promise<void>;
}

export interface SlotPoolOptions {
  readonly home: string;
  readonly subnet: string;
  /** Slots kept ready, so that a start does not wait for one. */
  readonly spares: number;
  /** Address of the DNS server behind the guests' own; one of the host's when left out. */
  readonly resolver?: string;
}

export async function openSlotPool(options: SlotPoolOptions): Promise<SlotPool> {
  const block = await chooseBlock(options.home, options.subnet);
  await setUpHost(block);
  const resolver = options.resolver ?? (await hostResolver());
  return new NamespaceSlotPool(block, resolver, options.spares, new Set(await existingSlots(block)));
}

class NamespaceSlotPool implements SlotPool {
  readonly #block: SlotBlock;
  readonly #resolver: string;
  readonly #target: number;
  readonly #orphans: Set<number>;
  readonly #used = new Set<number>();
  readonly #spares: number[] = [];
  #filling: Promise<void> | undefined;
  #isClosed = false;

  constructor(block: SlotBlock, resolver: string, spares: number, orphans: Set<number>) {
    this.#block = block;
    this.#resolver = resolver;
    this.#target = spares;
    this.#orphans = orphans;
    for (const number of orphans) this.#used.add(number);
  }

  get serviceAddress(): string {
    return serviceAddress(this.#block);
  }

  get namePrefix(): string {
    return slotPrefix(this.#block);
  }

  numberOf(address: string): number | undefined {
    return slotNumberOf(this.#block, address);
  }

  async acquire(): Promise<SlotLease> {
    const spare = this.#spares.shift();
    this.#fill();
    if (spare !== undefined) return this.#lease(spare, "internet");
    const [number] = this.#reserve(1);
    if (number === undefined)
      throw new AppError("ERR_NETWORK_SLOT", { message: `All ${slotCount(this.#block)} network slots are in use` });
    try {
      await makeSlots(this.#block, [slotAt(this.#block, number)], this.#resolver);
    } catch (cause) {
      this.#used.delete(number);
      throw cause;
    }
    return this.#lease(number, "internet");
  }

  adopt(number: number): SlotLease | undefined {
    return this.#orphans.delete(number) ? this.#lease(number) : undefined;
  }

  async removeOrphans(): Promise<void> {
    const numbers = [...this.#orphans];
    this.#orphans.clear();
    await this.#remove(numbers);
    this.#fill();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#filling;
    await this.#remove(this.#spares.splice(0));
    // Tools of a server killed while it made a slot may have finished after this one looked for orphans.
    await this.#remove((await existingSlots(this.#block)).filter((number) => !this.#used.has(number)));
    if (this.#used.size === 0) await tearDownHost(this.#block);
  }

  /** `known`: the policy it has, where that is certain. */
  #lease(number: number, known?: EgressPolicy["kind"]): SlotLease {
    const slot = slotAt(this.#block, number);
    let bound = known;
    let released: Promise<void> | undefined;
    return {
      number,
      network: attachmentOf(slot),
      guest: guestAddressOf(slot),
      setEgress: async (policy) => {
        if (policy.kind === "internet" && bound === "internet") return;
        await limitEgress(slot, { policy, block: this.#block, resolver: this.#resolver });
        bound = policy.kind;
      },
      release: () => (released ??= this.#remove([number])),
    };
  }

  async #remove(numbers: readonly number[]): Promise<void> {
    await removeSlots(numbers.map((number) => slotAt(this.#block, number)));
    for (const number of numbers) this.#used.delete(number);
  }

  #reserve(count: number): number[] {
    const numbers: number[] = [];
    for (let number = 0; number < slotCount(this.#block) && numbers.length < count; number++) {
      if (!this.#used.has(number)) numbers.push(number);
    }
    for (const number of numbers) this.#used.add(number);
    return numbers;
  }

  /** Tops the spares up behind the caller's back; one filling at a time. */
  #fill(): void {
    if (this.#isClosed || this.#filling !== undefined || this.#spares.length >= this.#target) return;
    const numbers = this.#reserve(this.#target - this.#spares.length);
    const slots = numbers.map((number) => slotAt(this.#block, number));
    this.#filling = makeSlots(this.#block, slots, this.#resolver)
      .then(() => void this.#spares.push(...numbers))
      .catch(() => numbers.forEach((number) => this.#used.delete(number))) // acquire() meets the same fault and reports it
      .finally(() => (this.#filling = undefined));
  }
}
