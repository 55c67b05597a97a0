import { sql } from "kysely";
import { expect, test, vi } from "vitest";
import type { MemoryMachine } from "../../test/support/memory-engine.ts";
import { POLICY, reaches, useRunning } from "../../test/support/use-supervisor.ts";
import { useTime } from "../../test/support/use-time.ts";
import { servicePrices } from "../model/prices.ts";
import { BYTES_PER_GB } from "../model/usage.ts";
import { createUsageReporter } from "./usage-report.ts";

const ACCOUNT = "123456789012";
const HOUR_MS = 3_600_000;
/** Not idle while a test runs. */
const AWAKE = { idlePolicy: { ...POLICY, maxIdleDurationSeconds: 28_800, suspendedDurationSeconds: 28_800 } };

type World = Awaited<ReturnType<typeof useMetered>>;

/** MicroVMs of 1 vCPU and 2 GB that use what the test says, in Ireland. */
async function useMetered(setting: Parameters<typeof useTime>[0] = {}) {
  const world = await useTime(setting);
  const machines = () => [...world.engine.machines.values()].filter(({ phase }) => phase === "running");
  const report = async (range: { from?: number; until?: number } = {}) => {
    await world.meter().flush();
    const reporter = createUsageReporter({ store: world.store, pricesOf: servicePrices });
    return reporter.report(ACCOUNT, { from: 0, until: Date.now(), ...range });
  };
  const run = (policy = AWAKE) => useRunning(world.supervisor, { ...policy, region: "eu-west-1" });
  const records = () => world.store.db.selectFrom("usage_records").selectAll().orderBy("id").execute();
  return { ...world, machines, report, run, records };
}

/** Every running machine is so busy and holds so much for so many seconds. */
async function work({ machines, pass }: World, seconds: number, { vcpus = 0, gb = 0 } = {}): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (const machine of machines()) use(machine, vcpus, gb);
    await pass(1);
  }
}

function use(machine: MemoryMachine, vcpus: number, gb: number): void {
  machine.cpuSeconds += vcpus;
  machine.guestBytes = gb * BYTES_PER_GB;
}

/** `kill -9`: nothing of it goes on. */
function killServer(): void {
  const now = Date.now();
  vi.clearAllTimers(); // sets the clock back as well
  vi.setSystemTime(now);
}

const PUBLISHED: [seconds: number, above: { seconds: number; vcpus: number; gb: number }, printed: string][] = [
  [5, { seconds: 0, vcpus: 1, gb: 2 }, "0.000185"],
  [8, { seconds: 3, vcpus: 2, gb: 4 }, "0.000405"],
  [12, { seconds: 5, vcpus: 4, gb: 8 }, "0.000996"],
];

test.each(PUBLISHED)("%i s of a microVM, of which above its baseline: %o, cost %s", async (seconds, above, printed) => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 1, { vcpus: 0.5, gb: 1 });
  await work(world, above.seconds, above);
  await work(world, seconds - above.seconds - 1, { vcpus: 1, gb: 2 });
  await world.supervisor.terminate(view.microvmId);
  await reaches(world.supervisor, view, "TERMINATED");
  await world.pass(1000);
  const { total, microvms, images } = await world.report();
  expect(total.cost.total.toFixed(6)).toBe(printed);
  expect(microvms).toMatchObject([{ microvmId: view.microvmId, region: "eu-west-1", cost: total.cost }]);
  expect(images).toMatchObject([{ imageArn: view.imageArn, cost: total.cost }]);
});

test("a sleeper costs its storage alone, and what its sleep wrote and its wake read", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 10, { vcpus: 3, gb: 5 });
  await world.supervisor.suspend(view.microvmId);
  await world.pass(3600);
  const [, asleep] = await world.records();
  expect(asleep).toMatchObject({ kind: "asleep", written_bytes: 2, ended_at: null });
  const { usage } = (await world.report()).total;
  expect(usage.aboveVcpuSeconds).toBeCloseTo(20, 1);
  expect(usage.aboveGbSeconds).toBeCloseTo(30, 1);
  expect(usage.baselineVcpuSeconds).toBeCloseTo(10, 1);
  expect(usage.storageGbHours).toBeCloseTo((asleep?.stored_bytes ?? 0) / BYTES_PER_GB, 9);
  await world.supervisor.resume(view.microvmId);
  await work(world, 5);
  const after = (await world.report()).total.usage;
  expect(after.baselineVcpuSeconds).toBeCloseTo(15, 1);
  expect(after.storageGbHours).toBeCloseTo(usage.storageGbHours, 6);
  expect(await world.records()).toMatchObject([{}, {}, { kind: "running", read_bytes: 2, above_vcpu_seconds: 0 }]);
});

test("a wake from a doze reads nothing", async () => {
  const world = await useMetered();
  const view = await world.run();
  await world.supervisor.suspend(view.microvmId);
  await world.pass(30);
  await world.supervisor.resume(view.microvmId);
  expect((await world.records()).at(-1)).toMatchObject({ kind: "running", read_bytes: 0 });
});

test("a suspend that fails, and a wake that fails, write and read nothing and leave no gap in what they interrupt", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 5);
  world.engine.failNext = "suspend";
  await world.supervisor.suspend(view.microvmId);
  await reaches(world.supervisor, view, "RUNNING");
  await work(world, 5);
  await world.supervisor.suspend(view.microvmId);
  await world.supervisor.parkAll();
  world.guest.failWake = true;
  await world.supervisor.resume(view.microvmId);
  await reaches(world.supervisor, view, "SUSPENDED");
  await world.pass(3600);
  expect(await world.records()).toMatchObject([
    { kind: "running", read_bytes: 0 },
    { kind: "running", read_bytes: 0 },
    { kind: "asleep", written_bytes: 2, ended_at: null },
  ]);
  const { usage } = (await world.report()).total;
  expect(usage.baselineVcpuSeconds).toBeCloseTo(10, 1);
  expect(usage.storageGbHours).toBeGreaterThan(0);
});

test("a server killed and started again counts the time between once, and doubles nothing", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 5, { vcpus: 2 });
  killServer();
  for (const machine of world.machines()) machine.cpuSeconds += 60;
  await world.pass(30);
  const next = world.restart();
  await next.recover();
  await work(world, 5, { vcpus: 2 });
  await next.terminate(view.microvmId);
  await reaches(next, view, "TERMINATED");
  const records = await world.records();
  expect(records).toHaveLength(1);
  expect(records[0]?.running_seconds).toBeCloseTo(40, 1);
  expect(records[0]?.above_vcpu_seconds).toBeCloseTo(40, 1);
});

test("of a machine that was lost with its server, what was on record counts and no more", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 20, { vcpus: 2 });
  killServer();
  world.engine.kill();
  const stopped = Date.now();
  await world.pass(3600);
  const next = world.restart();
  await next.recover();
  await reaches(next, view, "TERMINATED");
  const [record, ...others] = await world.records();
  expect(others).toEqual([]);
  expect(record?.ended_at).toBe(record?.metered_until);
  expect(Math.abs((record?.ended_at ?? 0) - stopped)).toBeLessThanOrEqual(1000);
  expect(record?.running_seconds).toBeCloseTo(20, 0);
});

test("a server that goes down and comes back counts a sleep between two runs", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 5);
  await world.supervisor.goDown();
  await world.pass(3600);
  const next = world.restart();
  await next.recover();
  await reaches(next, view, "RUNNING");
  await work(world, 5);
  const { usage } = (await world.report()).total;
  expect(usage.baselineVcpuSeconds).toBeCloseTo(10, 1);
  expect((await world.records()).map(({ kind }) => kind)).toEqual(["running", "asleep", "running"]);
});

test("usage that a full disk does not take is counted when there is room again", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 5);
  world.rows.isFull = true;
  await world.supervisor.terminate(view.microvmId);
  await world.pass(60);
  expect((await world.records())[0]?.ended_at).toBeNull();
  world.rows.isFull = false;
  await world.pass(11);
  const [record] = await world.records();
  expect(record?.ended_at).not.toBeNull();
  expect(record?.running_seconds).toBeCloseTo(5, 0);
});

test("who takes more than its baseline for a while yields to others until it is quiet again, or another server looks", async () => {
  const world = await useMetered();
  await world.run();
  await work(world, 8, { vcpus: 2 });
  const [machine] = world.machines();
  expect(machine?.priority).toBe("surplus");
  await work(world, 8, { vcpus: 0.1 });
  expect(machine?.priority).toBe("baseline");
  await work(world, 8, { vcpus: 2 });
  expect(machine?.priority).toBe("surplus");
  killServer();
  await world.restart().recover();
  expect(machine?.priority).toBe("baseline");
});

test("who falls asleep while it yields to others wakes as all others do", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 8, { vcpus: 2 });
  const [machine] = world.machines();
  expect(machine?.priority).toBe("surplus");
  await world.supervisor.suspend(view.microvmId);
  await reaches(world.supervisor, view, "SUSPENDED");
  expect(machine?.priority).toBe("baseline");
});

test.each([
  [true, "RUNNING" as const],
  [false, "SUSPENDED" as const],
])("work of its processors keeps a microVM awake where that counts: %s", async (countsWork, state) => {
  const world = await useMetered({ countsWork });
  const view = await world.run({ idlePolicy: { ...POLICY, maxIdleDurationSeconds: 60 } });
  await work(world, 90, { vcpus: 0.3 });
  await reaches(world.supervisor, view, state);
  await work(world, 75, { vcpus: 0.02 });
  await reaches(world.supervisor, view, "SUSPENDED");
});

test("only running microVMs are sampled, all on one timer", async () => {
  const world = await useMetered();
  const views = [];
  for (let count = 0; count < 5; count++) views.push(await world.run());
  let reads = 0;
  const read = world.engine.read.bind(world.engine);
  world.engine.read = (handle) => (reads++, read(handle));
  await world.pass(1);
  expect(reads).toBe(5);
  for (const { microvmId } of views) await world.supervisor.suspend(microvmId);
  reads = 0;
  await world.pass(60);
  expect(reads).toBe(0);
});

test("microVMs that start all the time do not keep those that run from being counted", async () => {
  const world = await useMetered();
  await world.run();
  for (let start = 0; start < 4; start++) {
    for (const machine of world.machines()) use(machine, 1, 0);
    await world.pass(0.6);
    await world.run();
  }
  const [record] = await world.records();
  expect(record?.running_seconds).toBeGreaterThanOrEqual(2);
  expect(record?.above_vcpu_seconds).toBeGreaterThan(0);
});

test("a long run is recorded by the hour, without a gap, and a range counts what was used within it", async () => {
  const world = await useMetered();
  const began = Date.now();
  const view = await world.run();
  await world.pass(1800);
  await work(world, 10, { vcpus: 3 });
  await world.pass(3600 + 1700);
  await world.supervisor.suspend(view.microvmId);
  const runs = (await world.records()).filter(({ kind }) => kind === "running");
  expect(runs.map(({ read_bytes, above_vcpu_seconds }) => [read_bytes, above_vcpu_seconds])).toEqual([
    [0, expect.closeTo(20, 1)],
    [0, 0],
  ]);
  expect(runs[1]?.began_at).toBe(runs[0]?.ended_at);
  const seconds = runs.reduce((sum, { running_seconds }) => sum + running_seconds, 0);
  expect(seconds).toBeCloseTo(7110, 0);
  const later = await world.report({ from: began + 3_700_000 });
  expect(later.total.usage.aboveVcpuSeconds).toBe(0);
  await world.supervisor.resume(view.microvmId);
  expect((await world.records()).at(-1)).toMatchObject({ kind: "running", read_bytes: 0 }); // from its doze
});

test("a split that the disk does not take loses nothing", async () => {
  const world = await useMetered();
  await world.run();
  await work(world, 5, { vcpus: 2 });
  const { db } = world.store;
  await sql`CREATE TRIGGER full BEFORE INSERT ON usage_records BEGIN SELECT RAISE(FAIL, 'disk full'); END`.execute(db);
  await world.pass(3700);
  await sql`DROP TRIGGER full`.execute(db);
  await world.pass(60);
  const [first, second] = await world.records();
  expect((first?.running_seconds ?? 0) + (second?.running_seconds ?? 0)).toBeGreaterThan(3750);
  expect(first?.above_vcpu_seconds).toBeCloseTo(5, 1);
  expect(world.log.error).toHaveBeenCalled();
});

test("a range counts its share of what runs through its ends", async () => {
  const world = await useMetered();
  const began = Date.now();
  await world.run();
  await work(world, 100, { vcpus: 2 });
  const cut = began + 25_000;
  const [before, after] = [await world.report({ until: cut }), await world.report({ from: cut })];
  expect(before.total.usage.baselineVcpuSeconds).toBeCloseTo(25, 0);
  expect(after.total.usage.baselineVcpuSeconds).toBeCloseTo(75, 0);
  expect(before.total.usage.aboveVcpuSeconds).toBeCloseTo(25, 0);
  expect((await world.report({ from: Date.now() + HOUR_MS, until: Date.now() + 2 * HOUR_MS })).microvms).toEqual([]);
});

test("the page for Prometheus tells what was counted, and the storage between two readings", async () => {
  const world = await useMetered();
  const view = await world.run();
  await work(world, 4, { vcpus: 2, gb: 3 });
  const page = await world.meter().render();
  expect(page).toContain('catnap_usage_vcpu_seconds_total{region="eu-west-1",share="above"} 4\n');
  expect(page).toContain(`catnap_microvm_memory_gb_seconds_total{microvm_id="${view.microvmId}",share="above"} 4\n`);
  expect(page).toContain("catnap_usage_running_microvms 1\n");
  await world.store.db.updateTable("usage_records").set({ kind: "image", stored_bytes: BYTES_PER_GB }).execute();
  await world.meter().render();
  await world.pass(1800);
  const later = await world.meter().render();
  const hours = Number(/gb_hours_total\{region="eu-west-1"\} (.*)/.exec(later)?.[1]);
  expect(hours).toBeCloseTo(0.5, 2);
  expect(later).toMatch(/^catnap_usage_cost_total\{currency="USD"\} 0\.\d+$/m);
});
