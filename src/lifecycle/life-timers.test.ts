import { expect, test, vi } from "vitest";
import { POLICY, reaches, runRequest, useRunning } from "../../test/support/use-supervisor.ts";
import { useTime } from "../../test/support/use-time.ts";
import type { MicrovmSupervisor } from "./microvm-supervisor.ts";
import type { MicrovmView } from "./microvm-service.ts";

const LIFETIME = "MicroVM exceeded maximum lifetime.";

async function stateOf(supervisor: MicrovmSupervisor, { microvmId }: MicrovmView): Promise<string | undefined> {
  return (await supervisor.get(microvmId))?.state;
}

const targetOf = (supervisor: MicrovmSupervisor, view: MicrovmView) =>
  supervisor.find(view.endpoint.split(".")[0] ?? "");

test("silence suspends a microVM at its idle limit, and bytes put it off", async () => {
  const { supervisor, pass } = await useTime();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, maxIdleDurationSeconds: 60 } });
  await pass(50);
  targetOf(supervisor, view)?.touch();
  await pass(50);
  expect(await stateOf(supervisor, view)).toBe("RUNNING");
  await pass(11);
  await reaches(supervisor, view, "SUSPENDED");
});

test("a microVM without an idle policy is never suspended", async () => {
  const { supervisor, pass } = await useTime();
  const view = await useRunning(supervisor, { idlePolicy: undefined });
  await pass(28_000);
  expect(await stateOf(supervisor, view)).toBe("RUNNING");
});

test("an idle microVM with no suspended duration ends instead, and is told", async () => {
  const hooks = { port: 9000, ready: 30, suspend: 30, terminate: 30 };
  const { supervisor, guest, pass } = await useTime({ hooks });
  const view = await useRunning(supervisor, {
    idlePolicy: { ...POLICY, maxIdleDurationSeconds: 60, suspendedDurationSeconds: 0 },
  });
  await pass(61);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe(LIFETIME);
  expect(guest.hooksSeen.map(({ hook }) => hook)).toEqual(["terminate"]);
});

test("a sleeper ends when its suspended duration is over, counted through a restart", async () => {
  const { supervisor, restart, pass } = await useTime();
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await pass(200);
  const next = restart();
  await next.recover();
  await pass(90);
  expect(await stateOf(next, view)).toBe("SUSPENDED");
  await pass(11);
  expect((await reaches(next, view, "TERMINATED")).stateReason).toBe(LIFETIME);
});

test("a woken microVM is not ended by the time it would have slept", async () => {
  const { supervisor, pass } = await useTime();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, maxIdleDurationSeconds: 20_000 } });
  await supervisor.suspend(view.microvmId);
  await pass(200);
  await supervisor.resume(view.microvmId);
  await pass(200);
  expect(await stateOf(supervisor, view)).toBe("RUNNING");
});

test("the maximum duration counts through sleep and restarts", async () => {
  const { supervisor, restart, pass } = await useTime();
  const idlePolicy = { ...POLICY, suspendedDurationSeconds: 20_000 };
  const view = await useRunning(supervisor, { maximumDurationInSeconds: 3_600, idlePolicy });
  await supervisor.suspend(view.microvmId);
  await pass(3_000);
  const next = restart();
  await next.recover();
  await pass(590);
  expect(await stateOf(next, view)).toBe("SUSPENDED");
  await pass(11);
  expect((await reaches(next, view, "TERMINATED")).stateReason).toBe(LIFETIME);
});

test("a maximum duration that passed while no server ran ends the microVM at the start", async () => {
  const { supervisor, restart, pass } = await useTime();
  const view = await supervisor.run(runRequest({ maximumDurationInSeconds: 60 }));
  await reaches(supervisor, view, "RUNNING");
  await supervisor.parkAll();
  vi.setSystemTime(Date.now() + 3_600_000);
  const next = restart();
  await next.recover();
  await pass(1);
  expect((await reaches(next, view, "TERMINATED")).stateReason).toBe(LIFETIME);
});

test("a wall clock set forward puts no busy microVM to sleep, and set back keeps none awake", async () => {
  const { supervisor, pass } = await useTime();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, maxIdleDurationSeconds: 120 } });
  vi.setSystemTime(Date.now() + 3_600_000);
  await pass(110);
  expect(await stateOf(supervisor, view)).toBe("RUNNING");
  vi.setSystemTime(Date.now() - 3_600_000);
  await pass(11);
  await reaches(supervisor, view, "SUSPENDED");
});

test("a dozing machine ends after its time, and its microVM sleeps on", async () => {
  const { supervisor, engine, pass } = await useTime({ dozeMs: 30_000 });
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await pass(29);
  expect(engine.living).toBe(1);
  await pass(2);
  expect(engine.living).toBe(0);
  expect(await stateOf(supervisor, view)).toBe("SUSPENDED");
});

test("a suspend that failed is tried again when the microVM has been idle once more", async () => {
  const { supervisor, engine, pass } = await useTime();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, maxIdleDurationSeconds: 60 } });
  engine.failNext = "suspend";
  await pass(61);
  await expect.poll(() => engine.calls.includes("suspend")).toBe(true);
  await reaches(supervisor, view, "RUNNING");
  await pass(61);
  await reaches(supervisor, view, "SUSPENDED");
});
