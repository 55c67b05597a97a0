import type { SizeTier } from "../model/sizes.ts";
import type { Refusal } from "./refusal.ts";
import { Throttle } from "./flow/throttle.ts";

/** 40 for 4 vCPUs, 160 for 16 (contract 13); the sizes between them in proportion. */
const REQUESTS_PER_SECOND_AND_VCPU = 10;
/** MicroVMs whose limits are kept; an idle one that is forgotten starts with a full measure. */
const MAX_REMEMBERED = 4096;

/** The size a microVM was built with; undefined when it is not known. */
export type TierOf = (microvmId: string) => Promise<SizeTier | undefined>;

export interface Admission {
  readonly throttle: Throttle;
  /** The exchange is over. */
  release(): void;
}

/** Contract 3.8 and 13: exchanges at once, exchanges a second, and bandwidth of each microVM, by its size. */
export class MicrovmLimits {
  readonly #tierOf: TierOf;
  readonly #microvms = new Map<string, MicrovmLimit>();

  constructor(tierOf: TierOf) {
    this.#tierOf = tierOf;
  }

  /** Admits one exchange, or says which limit stands against it; undefined when the microVM has none. */
  async admit(microvmId: string): Promise<Admission | Refusal | undefined> {
    const known = this.#microvms.get(microvmId);
    if (known) return known.admit();
    const tier = await this.#tierOf(microvmId);
    if (tier === undefined) return undefined;
    const limit = this.#microvms.get(microvmId) ?? new MicrovmLimit(tier);
    this.#microvms.set(microvmId, limit);
    this.#forgetIdle();
    return limit.admit();
  }

  #forgetIdle(): void {
    if (this.#microvms.size <= MAX_REMEMBERED) return;
    for (const [id, limit] of this.#microvms) if (limit.isIdle) return void this.#microvms.delete(id);
  }
}

class MicrovmLimit {
  readonly #maxOpen: number;
  readonly #bytes: Throttle;
  /** One second's worth may come at once. */
  readonly #perSecond: number;
  #left: number;
  #at = performance.now();
  #open = 0;

  constructor({ connections, bandwidthBytesPerSecond, peakVcpus }: SizeTier) {
    this.#maxOpen = connections;
    this.#bytes = new Throttle(bandwidthBytesPerSecond);
    this.#perSecond = peakVcpus * REQUESTS_PER_SECOND_AND_VCPU;
    this.#left = this.#perSecond;
  }

  get isIdle(): boolean {
    return this.#open === 0;
  }

  admit(): Admission | Refusal {
    if (this.#open >= this.#maxOpen) return { refused: "too-many-connections" };
    const now = performance.now();
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return { refused: "rate-limited" };
    this.#left--;
    this.#open++;
    return { throttle: this.#bytes, release: () => void this.#open-- };
  }
}
