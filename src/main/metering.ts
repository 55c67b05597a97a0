import { hostname } from "node:os";
import type { Engine } from "../engine/engine.ts";
import { Meter, type MeterOptions } from "../metering/meter.ts";
import { createUsageReporter, type UsageReporter } from "../metering/usage-report.ts";
import { servicePrices, type PriceTable } from "../model/prices.ts";
import { foldUsage } from "../store/usage-folding.ts";
import { purgeUsage } from "../store/usage-store.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import type { House } from "./house.ts";

const UPKEEP_INTERVAL_MS = 60 * 60 * 1000;
/** MicroVMs at a time, so that others of the store have their turn. */
const FOLDED_AT_ONCE = 100;
const MS_PER_DAY = 24 * 60 * 60 * 1000;

export interface Metering {
  readonly meter: Meter;
  readonly reporter: UsageReporter;
}

/** Counts what microVMs use, and forgets it when it is old. */
export function openMetering(
  house: House,
  engine: Pick<Engine, "read" | "guestBytes" | "prefer">,
  onBusy?: MeterOptions["onBusy"],
): Metering {
  const { config, paths, store, log, cleanup } = house;
  const { prices } = config;
  const pricesOf: (region: string) => PriceTable = prices === null ? servicePrices : () => prices;
  const meter = new Meter({
    store,
    engine,
    log,
    hostId: hostname(),
    microvmsDirectory: paths.microvms,
    pricesOf,
    onBusy,
  });
  cleanup.add(() => meter.close());
  const turns = new SerialQueue();
  const upkeep = setInterval(() => {
    tidyUsage(house, turns).catch((err: unknown) => log.error({ err }, "old usage records could not be tidied"));
  }, UPKEEP_INTERVAL_MS);
  cleanup.add(async () => clearInterval(upkeep));
  return { meter, reporter: createUsageReporter({ store, pricesOf, turns, flush: () => meter.flush() }) };
}

/** Records of yesterday become few; those that are old go. */
async function tidyUsage({ config, store }: House, turns: SerialQueue): Promise<void> {
  const now = Date.now();
  const fold = () => turns.run(() => foldUsage(store.db, now - MS_PER_DAY, FOLDED_AT_ONCE));
  while ((await fold()) === FOLDED_AT_ONCE);
  await purgeUsage(store.db, now - config.usageRetentionDays * MS_PER_DAY);
}
