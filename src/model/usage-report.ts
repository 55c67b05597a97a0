import type { Bill } from "./price-usage.ts";
import type { PriceTable } from "./prices.ts";
import type { Usage } from "./usage.ts";

export interface BilledUsage {
  readonly usage: Usage;
  readonly cost: Bill;
}

export interface MicrovmUsage extends BilledUsage {
  readonly microvmId: string;
  readonly imageArn: string;
  readonly imageVersion: string;
  readonly region: string;
}

/** With that of its microVMs and the storage of its versions. */
export interface ImageUsage extends BilledUsage {
  readonly imageArn: string;
  readonly region: string;
}

/** The usage of an account in all its Regions, as `catnap usage --json` prints it. */
export interface UsageReport {
  /** ISO 8601; absent: from the beginning of what is on record. */
  readonly from?: string;
  readonly until: string;
  readonly currency: string;
  /** By Region. */
  readonly prices: Readonly<Record<string, PriceTable>>;
  readonly total: BilledUsage;
  readonly images: readonly ImageUsage[];
  /** Those that were run last, oldest first. */
  readonly microvms: readonly MicrovmUsage[];
  /** Further microVMs, which are in the sums only. */
  readonly omittedMicrovms: number;
}
