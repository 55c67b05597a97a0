import { addBills, priceUsage } from "../model/price-usage.ts";
import type { PriceTable } from "../model/prices.ts";
import { addUsage, baselineUsage, BYTES_PER_GB, NO_USAGE, type Usage } from "../model/usage.ts";
import type { BilledUsage, UsageReport } from "../model/usage-report.ts";
import type { Store } from "../store/store.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import { sumUsage, type UsageRange, type UsageSums } from "../store/usage-sums.ts";

/** MicroVMs listed one by one: an answer is to stay within some megabytes. */
const MAX_MICROVMS = 5_000;
const MS_PER_HOUR = 3_600_000;

export interface UsageReporter {
  report(accountId: string, range: UsageRange): Promise<UsageReport>;
}

export interface UsageReporterOptions {
  readonly store: Store;
  readonly pricesOf: (region: string) => PriceTable;
  /** Writes down what is counted so far. */
  readonly flush?: () => Promise<void>;
  /** One report at a time, and none while records are folded. */
  readonly turns?: SerialQueue;
}

interface Part {
  readonly sums: UsageSums;
  readonly usage: Usage;
}

export function createUsageReporter(options: UsageReporterOptions): UsageReporter {
  const { store, pricesOf, flush, turns = new SerialQueue() } = options;
  const billed = (parts: readonly Part[]): BilledUsage => {
    const byRegion = Map.groupBy(parts, ({ sums }) => sums.region);
    const usages = [...byRegion].map(([region, own]) => ({ region, usage: total(own) }));
    return {
      usage: usages.map(({ usage }) => usage).reduce(addUsage, NO_USAGE),
      cost: addBills(usages.map(({ region, usage }) => priceUsage(usage, pricesOf(region)))),
    };
  };
  return {
    async report(accountId, range) {
      await flush?.();
      const all = await turns.run(() => sumUsage(store.db, accountId, range));
      const parts = all.map((sums) => ({ sums, usage: usageOf(sums) }));
      const microvms = parts.filter(({ sums }) => sums.microvm_id !== null);
      const listed = microvms.slice(-MAX_MICROVMS);
      const regions = [...new Set(parts.map(({ sums }) => sums.region))].toSorted();
      return {
        ...(range.from > 0 && { from: new Date(range.from).toISOString() }),
        until: new Date(range.until).toISOString(),
        currency: pricesOf(regions[0] ?? "").currency,
        prices: Object.fromEntries(regions.map((region) => [region, pricesOf(region)])),
        total: billed(parts),
        images: [...Map.groupBy(parts, ({ sums }) => sums.image_arn)].map(([imageArn, own]) => ({
          imageArn,
          region: own[0]?.sums.region ?? "",
          ...billed(own),
        })),
        microvms: listed.map((part) => ({
          microvmId: part.sums.microvm_id ?? "",
          imageArn: part.sums.image_arn,
          imageVersion: part.sums.image_version,
          region: part.sums.region,
          ...billed([part]),
        })),
        omittedMicrovms: microvms.length - listed.length,
      };
    },
  };
}

function total(parts: readonly Part[]): Usage {
  return parts.map(({ usage }) => usage).reduce(addUsage, NO_USAGE);
}

function usageOf(sums: UsageSums): Usage {
  return addUsage(NO_USAGE, {
    ...baselineUsage(1, sums.baseline_mib_seconds),
    aboveVcpuSeconds: sums.above_vcpu_seconds,
    aboveGbSeconds: sums.above_gb_seconds,
    snapshotReadGb: sums.read_bytes / BYTES_PER_GB,
    snapshotWrittenGb: sums.written_bytes / BYTES_PER_GB,
    storageGbHours: sums.stored_byte_ms / BYTES_PER_GB / MS_PER_HOUR,
  });
}
