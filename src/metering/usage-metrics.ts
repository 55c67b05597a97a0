import { addBills, priceUsage } from "../model/price-usage.ts";
import type { PriceTable } from "../model/prices.ts";
import { addUsage, NO_USAGE, USAGE_ITEMS, type Usage } from "../model/usage.ts";

/** MicroVMs counted one by one; the one that was counted first is forgotten for another. */
const MAX_MICROVMS = 2000;
const MS_PER_HOUR = 3_600_000;

const FAMILIES: Readonly<Record<keyof Usage, readonly [name: string, label: string]>> = {
  baselineVcpuSeconds: ["vcpu_seconds_total", 'share="baseline"'],
  aboveVcpuSeconds: ["vcpu_seconds_total", 'share="above"'],
  baselineGbSeconds: ["memory_gb_seconds_total", 'share="baseline"'],
  aboveGbSeconds: ["memory_gb_seconds_total", 'share="above"'],
  snapshotReadGb: ["snapshot_read_gb_total", ""],
  snapshotWrittenGb: ["snapshot_written_gb_total", ""],
  storageGbHours: ["snapshot_storage_gb_hours_total", ""],
};

/** GB kept now, by Region. */
export type StoredGb = ReadonlyMap<string, number>;

/** Usage since the server came up, and its page for Prometheus (text format 0.0.4). */
export class UsageMetrics {
  readonly #byRegion = new Map<string, Usage>();
  readonly #byMicrovm = new Map<string, Usage>();
  readonly #pricesOf: (region: string) => PriceTable;
  #stored: StoredGb = new Map();
  #storedAt: number | undefined;

  constructor(pricesOf: (region: string) => PriceTable) {
    this.#pricesOf = pricesOf;
  }

  add(region: string, microvmId: string, usage: Partial<Usage>): void {
    this.#byRegion.set(region, addUsage(this.#byRegion.get(region) ?? NO_USAGE, usage));
    this.#byMicrovm.set(microvmId, addUsage(this.#byMicrovm.get(microvmId) ?? NO_USAGE, usage));
    const oldest = this.#byMicrovm.keys().next().value;
    if (this.#byMicrovm.size > MAX_MICROVMS && oldest !== undefined) this.#byMicrovm.delete(oldest);
  }

  /** Storage is integrated from one page to the next, so that sleepers cost nothing between. */
  render({ stored, running, now }: { stored: StoredGb; running: number; now: number }): string {
    this.#integrate(stored, now);
    const regions = [...this.#byRegion];
    const lines = usageLines(
      "catnap_usage_",
      regions.map(([region, usage]) => [`region="${region}"`, usage]),
    );
    lines.push("# TYPE catnap_usage_stored_gb gauge");
    for (const [region, gb] of stored) lines.push(`catnap_usage_stored_gb{region="${region}"} ${gb}`);
    lines.push("# TYPE catnap_usage_running_microvms gauge", `catnap_usage_running_microvms ${running}`);
    lines.push(...this.#costLines());
    const each = [...this.#byMicrovm].map(([id, usage]) => [`microvm_id="${id}"`, usage] as const);
    lines.push(...usageLines("catnap_microvm_", each, ["storageGbHours"]));
    return `${lines.join("\n")}\n`;
  }

  #integrate(stored: StoredGb, now: number): void {
    const hours = Math.max(0, now - (this.#storedAt ?? now)) / MS_PER_HOUR;
    for (const region of new Set([...this.#stored.keys(), ...stored.keys()])) {
      const between = ((this.#stored.get(region) ?? 0) + (stored.get(region) ?? 0)) / 2;
      const usage = this.#byRegion.get(region) ?? NO_USAGE;
      this.#byRegion.set(region, addUsage(usage, { storageGbHours: between * hours }));
    }
    this.#stored = stored;
    this.#storedAt = now;
  }

  #costLines(): string[] {
    const lines = ["# TYPE catnap_usage_cost_total counter"];
    const byCurrency = Map.groupBy(this.#byRegion, ([region]) => this.#pricesOf(region).currency);
    for (const [currency, regions] of byCurrency) {
      const { exact } = addBills(regions.map(([region, usage]) => priceUsage(usage, this.#pricesOf(region))));
      lines.push(`catnap_usage_cost_total{currency="${currency}"} ${exact}`);
    }
    return lines;
  }
}

function usageLines(
  prefix: string,
  each: readonly (readonly [label: string, usage: Usage])[],
  without: readonly (keyof Usage)[] = [],
): string[] {
  const lines: string[] = [];
  let family = "";
  for (const item of USAGE_ITEMS) {
    if (without.includes(item)) continue;
    const [name, share] = FAMILIES[item];
    if (name !== family) lines.push(`# TYPE ${prefix}${name} counter`);
    family = name;
    for (const [label, usage] of each)
      lines.push(`${prefix}${name}{${[label, share].filter(Boolean).join(",")}} ${usage[item]}`);
  }
  return lines;
}
