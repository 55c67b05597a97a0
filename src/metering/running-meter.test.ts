import { expect, test } from "vitest";
import { RunningMeter, type StretchStart } from "./running-meter.ts";

const GB = 1024 ** 3;
const START: StretchStart = {
  id: 1,
  microvm_id: "m",
  region: "eu-west-1",
  baseline_mib: 2048,
  began_at: 1_000,
  metered_until: 1_000,
  cpu_seconds: 7,
  running_seconds: 0,
  above_vcpu_seconds: 0,
  above_gb_seconds: 0,
};
const HANDLE = { pid: 1, startTicks: "1", directory: "", template: undefined };

/** A meter whose clocks run on by what each step takes. */
function useMeter(start: Partial<StretchStart> = {}) {
  const meter = new RunningMeter({ ...START, ...start }, HANDLE);
  let [now, cpuSeconds] = [meter.progress.meteredUntil, meter.progress.cpuSeconds];
  const run = (seconds: number, { vcpus = 0, gb = 0 }: { vcpus?: number; gb?: number } = {}) => {
    now += seconds * 1000;
    cpuSeconds += seconds * vcpus;
    meter.noteGuestBytes(gb * GB);
    return meter.advance({ cpuSeconds, residentBytes: gb * GB }, { clockMs: now, now });
  };
  return { meter, run };
}

test("use up to the baseline is the baseline's, and what is beyond counts second by second", () => {
  const { meter, run } = useMeter();
  run(1, { vcpus: 0.9, gb: 2 });
  run(1, { vcpus: 2, gb: 4 });
  run(1, { vcpus: 0, gb: 1 });
  expect(meter.progress).toMatchObject({ runningSeconds: 3, aboveVcpuSeconds: 1, aboveGbSeconds: 2 });
});

test("what a monitor takes beyond the peak of its microVM is not counted", () => {
  const { meter, run } = useMeter();
  run(2, { vcpus: 9, gb: 100 });
  expect(meter.progress).toMatchObject({ aboveVcpuSeconds: 2 * 3, aboveGbSeconds: 2 * 6 });
});

test("the time of a server that was gone is counted once, from where the last one stopped", () => {
  const first = useMeter();
  first.run(10, { vcpus: 2 });
  const { id, meteredUntil, ...totals } = first.meter.progress;
  const second = useMeter({
    id,
    metered_until: meteredUntil,
    cpu_seconds: totals.cpuSeconds,
    running_seconds: totals.runningSeconds,
    above_vcpu_seconds: totals.aboveVcpuSeconds,
  });
  second.run(30, { vcpus: 1.5 });
  expect(second.meter.progress).toMatchObject({ runningSeconds: 40, aboveVcpuSeconds: 10 + 15 });
});

test("a wall clock that is set costs nothing, and time never runs back", () => {
  const meter = new RunningMeter(START, HANDLE);
  const reading = { cpuSeconds: 7, residentBytes: 0 };
  meter.advance(reading, { clockMs: 50, now: 1_000 });
  meter.advance(reading, { clockMs: 1_050, now: 1_000_000_000 });
  meter.advance(reading, { clockMs: 2_050, now: 5 });
  expect(meter.progress.runningSeconds).toBe(2);
  expect(meter.progress.meteredUntil).toBe(1_000_000_000);
});

test("touched memory is looked up only of who could be above the baseline, and not every time", () => {
  const { meter } = useMeter();
  const reading = (gb: number) => ({ cpuSeconds: 0, residentBytes: gb * GB });
  expect(meter.wantsGuestBytes(reading(2), 0)).toBe(false);
  expect(meter.wantsGuestBytes(reading(2.1), 0)).toBe(true);
  expect(meter.wantsGuestBytes(reading(2.1), 9_999)).toBe(false);
  expect(meter.wantsGuestBytes(reading(2.1), 10_000)).toBe(true);
});

test("a stretch that was not begun after all goes on as it was, its length with it", () => {
  const { meter, run } = useMeter();
  run(100, { vcpus: 2 });
  const at = meter.progress;
  meter.continueIn(2, at);
  run(10, { vcpus: 2 });
  expect(meter).toMatchObject({ lengthMs: 10_000, progress: { id: 2, aboveVcpuSeconds: 10 } });
  meter.rejoin(at);
  expect(meter).toMatchObject({ lengthMs: 110_000, progress: { id: 1, aboveVcpuSeconds: 110 } });
});
