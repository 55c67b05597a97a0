import type { Kysely } from "kysely";
import type { Engine, MachineHandle, MachineReading, Priority } from "../engine/engine.ts";
import type { PriceTable } from "../model/prices.ts";
import { BYTES_PER_GB } from "../model/usage.ts";
import type { Log } from "../observability/log.ts";
import type { MicrovmRow } from "../store/microvm-store.ts";
import type { Store } from "../store/store.ts";
import type { Database } from "../store/tables.ts";
import { endUsageOf, openStorage, saveUsageProgress, splitUsage, type UsageProgress } from "../store/usage-store.ts";
import { beginRun, beginSleep } from "./begin-stretch.ts";
import { RunningMeter } from "./running-meter.ts";
import { measureSleeper } from "./sleeper-size.ts";
import { UsageMetrics } from "./usage-metrics.ts";

/** What is above the baseline is judged second by second. */
const INTERVAL_MS = 1_000;
/** An app that waits takes a hundredth or two, its kernel's timers included. */
const BUSY_VCPUS = 0.1;
/** What is not above it can be told from the record's beginning, so it is written down less often. */
const SAVE_ALL_EVERY = 10;
/** A range that cuts a stretch counts its share by time, so none is to be long. */
const MAX_STRETCH_MS = 3_600_000;
/** Stretches split in one go: many microVMs may have started together. */
const SPLITS_AT_ONCE = 20;

export interface MeterOptions {
  readonly store: Store;
  readonly engine: Pick<Engine, "read" | "guestBytes" | "prefer">;
  readonly log: Log;
  readonly hostId: string;
  /** Directory that holds a folder per microVM. */
  readonly microvmsDirectory: string;
  readonly pricesOf: (region: string) => PriceTable;
  /** Told every second of each microVM that works. */
  readonly onBusy?: (microvm: { microvmId: string }) => void;
}

/** What a change of state means for the bill. */
export interface MeterEntry {
  /** Goes into the transaction that records the state: on record with it, or not at all. */
  write(db: Kysely<Database>): Promise<void>;
  /** To be called when that is committed. */
  committed(): void;
}

/**
 * Keeps the usage records of this host's microVMs. One timer samples all that run, and stands still when none does; a
 * sleeper costs one record when it falls asleep and one when it wakes.
 */
export class Meter {
  readonly #options: MeterOptions;
  readonly #running = new Map<string, RunningMeter>();
  readonly #metrics: UsageMetrics;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #isClosed = false;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#metrics = new UsageMetrics(options.pricesOf);
  }

  /** `row`: the microVM as it is about to be recorded. Undefined when its state changes nothing. */
  async entryFor(row: MicrovmRow): Promise<MeterEntry | undefined> {
    switch (row.state) {
      case "PENDING": // what sleeps, sleeps until the app has answered its hook
        return undefined;
      case "RUNNING":
        return this.#running.has(row.id) ? undefined : this.#beginRun(row);
      case "SUSPENDED":
        return this.#beginSleep(row);
      default:
        return this.#end(row);
    }
  }

  /** Writes down what is counted, which is at most a second behind; to count more often would count other peaks. */
  flush(): Promise<void> {
    return this.#save(true);
  }

  /** The page for Prometheus. */
  async render(): Promise<string> {
    const { store, hostId } = this.#options;
    const bytes = await openStorage(store.db, hostId);
    const stored = new Map(bytes.map(({ region, bytes: kept }) => [region, kept / BYTES_PER_GB]));
    return this.#metrics.render({ stored, running: this.#running.size, now: Date.now() });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#countAndSave(true);
  }

  #beginRun(row: MicrovmRow): MeterEntry {
    const handle = handleOf(row);
    const cpuSeconds = this.#options.engine.read(handle)?.cpuSeconds ?? 0;
    let meter: RunningMeter | undefined;
    let readBytes = 0;
    return {
      write: async (db) => {
        const begun = await beginRun(db, row, { hostId: this.#options.hostId, handle, cpuSeconds });
        meter = new RunningMeter(begun, handle);
        readBytes = begun.isNew ? begun.read_bytes : 0;
      },
      committed: () => {
        if (meter === undefined) return;
        this.#prefer(row.id, handle, meter.load.priority); // a server before this one may have left it in surplus
        this.#running.set(row.id, meter);
        this.#metrics.add(row.region, row.id, { snapshotReadGb: readBytes / BYTES_PER_GB });
        this.#arm();
      },
    };
  }

  async #beginSleep(row: MicrovmRow): Promise<MeterEntry> {
    const { hostId, microvmsDirectory } = this.#options;
    const size = await measureSleeper(microvmsDirectory, row.id);
    let isNew = false;
    return {
      write: async (db) => {
        isNew = await beginSleep(db, row, { hostId, size });
      },
      committed: () => {
        const writtenGb = isNew ? size.writtenBytes / BYTES_PER_GB : 0;
        this.#metrics.add(row.region, row.id, { snapshotWrittenGb: writtenGb });
      },
    };
  }

  /** Of a run it knows, up to now; of one it does not know, as after a crash of the host, up to where it was known. */
  async #end(row: MicrovmRow): Promise<MeterEntry> {
    const meter = this.#running.get(row.id);
    if (meter !== undefined) await this.#count(row.id, meter);
    return {
      write: async (db) => {
        if (meter !== undefined) await saveUsageProgress(db, [meter.progress]);
        await endUsageOf(db, row.id, Date.now());
      },
      committed: () => {
        this.#running.delete(row.id);
        if (meter?.load.priority === "surplus") this.#prefer(row.id, meter.handle, "baseline"); // it wakes as all others do
      },
    };
  }

  /** MicroVMs that start do not put off those that run. */
  #arm(): void {
    if (this.#timer !== undefined || this.#running.size === 0 || this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#tick(), INTERVAL_MS);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    this.#ticks++;
    await this.#countAndSave(this.#ticks % SAVE_ALL_EVERY === 0);
    this.#timer = undefined;
    this.#arm();
  }

  async #countAndSave(isAll: boolean): Promise<void> {
    await this.#sample();
    try {
      await this.#save(isAll);
      await this.#split();
    } catch (err) {
      this.#options.log.error({ err }, "usage could not be recorded; it is kept and tried again");
    }
  }

  async #sample(): Promise<void> {
    await Promise.all([...this.#running].flatMap(([microvmId, meter]) => this.#count(microvmId, meter) ?? []));
  }

  /** Counts at once; or later, where what the guest touched has to be looked up. */
  #count(microvmId: string, meter: RunningMeter): Promise<void> | undefined {
    const { engine, log } = this.#options;
    const advance = (reading: MachineReading) => {
      const at = { clockMs: performance.now(), now: Date.now() };
      const before = meter.load.priority;
      this.#metrics.add(meter.region, microvmId, meter.advance(reading, at));
      if (meter.load.priority !== before) this.#prefer(microvmId, meter.handle, meter.load.priority);
      if (meter.load.vcpus > BUSY_VCPUS) this.#options.onBusy?.({ microvmId });
    };
    const reading = engine.read(meter.handle);
    if (reading === undefined) return undefined; // gone: it is about to be said so
    if (!meter.wantsGuestBytes(reading, performance.now())) {
      advance(reading);
      return undefined;
    }
    return engine
      .guestBytes(meter.handle)
      .then(
        (bytes) => meter.noteGuestBytes(bytes),
        (err: unknown) => log.debug({ err, microvmId }, "touched memory could not be read"),
      )
      .then(() => advance(engine.read(meter.handle) ?? reading));
  }

  #prefer(microvmId: string, handle: MachineHandle, priority: Priority): void {
    const { engine, log } = this.#options;
    engine
      .prefer(handle, priority)
      .catch((err: unknown) => log.debug({ err, microvmId }, "the share of the processors could not be set"));
  }

  async #save(isAll: boolean): Promise<void> {
    const meters = [...this.#running.values()].filter(({ hasNews }) => isAll || hasNews);
    for (const meter of meters) meter.hasNews = false;
    try {
      await saveUsageProgress(
        this.#options.store.db,
        meters.map(({ progress }) => progress),
      );
    } catch (cause) {
      for (const meter of meters) meter.hasNews = true;
      throw cause;
    }
  }

  async #split(): Promise<void> {
    const long = [...this.#running.values()].filter(({ lengthMs }) => lengthMs >= MAX_STRETCH_MS);
    if (long.length === 0) return;
    const done: [RunningMeter, UsageProgress][] = [];
    try {
      await this.#options.store.db.transaction().execute(async (db) => {
        for (const meter of long.slice(0, SPLITS_AT_ONCE)) {
          const at = meter.progress;
          const id = await splitUsage(db, at);
          if (id === undefined) continue;
          meter.continueIn(id, at); // here: an end that is recorded next has to find it so
          done.push([meter, at]);
        }
      });
    } catch (cause) {
      for (const [meter, at] of done) meter.rejoin(at);
      throw cause;
    }
  }
}

function handleOf({ machine_json }: MicrovmRow): MachineHandle {
  if (machine_json === null) return { pid: 0, startTicks: "", directory: "", template: undefined };
  return (JSON.parse(machine_json) as { handle: MachineHandle }).handle;
}
