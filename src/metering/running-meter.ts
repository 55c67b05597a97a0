import type { MachineHandle, MachineReading } from "../engine/engine.ts";
import { baselineUsage, BYTES_PER_GB, type Usage } from "../model/usage.ts";
import type { UsageProgress, UsageRow } from "../store/usage-store.ts";
import { RecentLoad } from "./recent-load.ts";

const MIB = 1024 * 1024;
/** A microVM may take four times its baseline (contract 3.8); what its monitor takes beyond is not its own. */
const PEAK = 4;
/** Touched memory is looked up in the page tables at most so often, and only of who may be above the baseline. */
const GUEST_MEMORY_MS = 10_000;

/** What of a stored stretch a meter goes on from. */
export type StretchStart = Pick<
  UsageRow,
  | "id"
  | "microvm_id"
  | "region"
  | "baseline_mib"
  | "began_at"
  | "metered_until"
  | "cpu_seconds"
  | "running_seconds"
  | "above_vcpu_seconds"
  | "above_gb_seconds"
>;

/** Counts one running stretch of one microVM, an interval at a time. */
export class RunningMeter {
  readonly handle: MachineHandle;
  readonly baselineMiB: number;
  readonly region: string;
  #beganAt: number;
  /** Before `continueIn`. */
  #beganBefore = 0;
  /** Something beyond the baseline is not on record yet: nothing else tells of that. */
  hasNews = false;
  readonly load = new RecentLoad();
  #totals: UsageProgress;
  /** Of the clock that never jumps; undefined before the first interval, which may reach back into another server's time. */
  #countedAt: number | undefined;
  #guestBytes = 0;
  #guestBytesAt = -Infinity;

  constructor(start: StretchStart, handle: MachineHandle) {
    this.handle = handle;
    this.baselineMiB = start.baseline_mib;
    this.region = start.region;
    this.#beganAt = start.began_at;
    this.#totals = {
      id: start.id,
      meteredUntil: start.metered_until,
      cpuSeconds: start.cpu_seconds,
      runningSeconds: start.running_seconds,
      aboveVcpuSeconds: start.above_vcpu_seconds,
      aboveGbSeconds: start.above_gb_seconds,
    };
  }

  get progress(): UsageProgress {
    return this.#totals;
  }

  /** How long this stretch is. */
  get lengthMs(): number {
    return this.#totals.meteredUntil - this.#beganAt;
  }

  /** What was counted since `at` belongs to another stretch. */
  continueIn(id: number, at: UsageProgress): void {
    this.#totals = { ...plus(this.#totals, at, -1), id };
    this.#beganBefore = this.#beganAt;
    this.#beganAt = at.meteredUntil;
  }

  /** Takes `continueIn` back: the other stretch did not come about. */
  rejoin(at: UsageProgress): void {
    this.#totals = { ...plus(this.#totals, at, 1), id: at.id };
    this.#beganAt = this.#beganBefore;
  }

  /** Whether the memory that the guest touched is to be looked up now: the process could hold more than the baseline. */
  wantsGuestBytes({ residentBytes }: MachineReading, clockMs: number): boolean {
    if (residentBytes <= this.baselineMiB * MIB || clockMs - this.#guestBytesAt < GUEST_MEMORY_MS) return false;
    this.#guestBytesAt = clockMs;
    return true;
  }

  noteGuestBytes(bytes: number): void {
    this.#guestBytes = bytes;
  }

  /** Counts the time since it was called last. `clockMs`: of a clock that never jumps; `now`: epoch milliseconds. */
  advance(reading: MachineReading, { clockMs, now }: { clockMs: number; now: number }): Partial<Usage> {
    const sinceMs = this.#countedAt === undefined ? now - this.#totals.meteredUntil : clockMs - this.#countedAt;
    const seconds = Math.max(0, sinceMs / 1000);
    this.#countedAt = clockMs;
    const used = Math.max(0, reading.cpuSeconds - this.#totals.cpuSeconds);
    const baseline = this.baselineMiB / 2048;
    this.load.note({ used, baseline, seconds });
    const guestBytes = Math.min(this.#guestBytes, reading.residentBytes);
    const above = {
      aboveVcpuSeconds: beyond(used, baseline * seconds),
      aboveGbSeconds: beyond((guestBytes / BYTES_PER_GB) * seconds, (this.baselineMiB / 1024) * seconds),
    };
    const { id, meteredUntil, runningSeconds, aboveVcpuSeconds, aboveGbSeconds } = this.#totals;
    this.#totals = {
      id,
      meteredUntil: Math.max(meteredUntil, Math.round(now)),
      cpuSeconds: reading.cpuSeconds,
      runningSeconds: runningSeconds + seconds,
      aboveVcpuSeconds: aboveVcpuSeconds + above.aboveVcpuSeconds,
      aboveGbSeconds: aboveGbSeconds + above.aboveGbSeconds,
    };
    this.hasNews ||= above.aboveVcpuSeconds > 0 || above.aboveGbSeconds > 0;
    return { ...baselineUsage(this.baselineMiB, seconds), ...above };
  }
}

function plus(one: UsageProgress, other: UsageProgress, sign: 1 | -1): UsageProgress {
  return {
    ...one,
    runningSeconds: one.runningSeconds + sign * other.runningSeconds,
    aboveVcpuSeconds: one.aboveVcpuSeconds + sign * other.aboveVcpuSeconds,
    aboveGbSeconds: one.aboveGbSeconds + sign * other.aboveGbSeconds,
  };
}

/** Of an amount, what is more than the baseline and not more than the peak. */
function beyond(amount: number, baseline: number): number {
  return Math.max(0, Math.min(amount, PEAK * baseline) - baseline);
}
