import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { knock, POLICY, reaches, runRequest, useRunning, useSupervisor } from "../../test/support/use-supervisor.ts";

test("run answers PENDING at once and becomes RUNNING with a fresh clock", async () => {
  const { supervisor, guest } = await useSupervisor();
  const view = await supervisor.run(runRequest());
  expect(view.state).toBe("PENDING");
  await reaches(supervisor, view, "RUNNING");
  expect(guest.wakes).toHaveLength(1);
});

test("where it shall have one, a microVM gets an identity before its first wake, and keeps it", async () => {
  const { supervisor, guest } = await useSupervisor({ freshIdentity: true });
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  const machineId = view.microvmId.slice("microvm-".length).replaceAll("-", "");
  expect(machineId).toMatch(/^[0-9a-f]{32}$/);
  expect(guest.identities).toEqual([{ hostname: view.microvmId, machineId, wakes: 0 }]);
});

test("many requests to a sleeper wake it once", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  const links = await Promise.all(Array.from({ length: 20 }, async () => knock(supervisor, view)));
  expect(links.every((link) => link !== undefined && !("refused" in link))).toBe(true);
  expect(engine.calls.filter((call) => call === "unpause")).toHaveLength(1);
});

test("a sleeper that must not wake by traffic refuses it and stays asleep", async () => {
  const { supervisor } = await useSupervisor();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, autoResumeEnabled: false } });
  await supervisor.suspend(view.microvmId);
  expect(await knock(supervisor, view)).toEqual({ refused: "asleep" });
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
});

test("a failed suspend leaves the microVM running", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  engine.failNext = "suspend";
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  expect(engine.living).toBe(1);
});

test("a failed wake keeps the sleeper, and the next one succeeds", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  engine.kill();
  engine.failNext = "resume";
  expect(await knock(supervisor, view)).toMatchObject({ refused: "failed" });
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
});

test("a failed start ends the microVM with the reason and leaves no machine and no slot", async () => {
  const { supervisor, engine, leased } = await useSupervisor();
  engine.failNext = "restore";
  const view = await supervisor.run(runRequest());
  const ended = await reaches(supervisor, view, "TERMINATED");
  expect(ended.stateReason).toContain("restore fails on request");
  expect(engine.living).toBe(0);
  expect(leased.size).toBe(0);
});

test("terminating, in any state and twice, ends with the service's reason and frees everything", async () => {
  const { supervisor, engine, leased } = await useSupervisor();
  const view = await supervisor.run(runRequest());
  await Promise.all([supervisor.terminate(view.microvmId), supervisor.terminate(view.microvmId)]);
  const ended = await reaches(supervisor, view, "TERMINATED");
  expect(ended.stateReason).toBe("Success.");
  expect(ended.terminatedAt).toBeInstanceOf(Date);
  expect([engine.living, leased.size]).toEqual([0, 0]);
  expect(await knock(supervisor, view)).toEqual({ refused: "gone" });
});

test("the main process ending ends the microVM with its exit code", async () => {
  const { supervisor, guest } = await useSupervisor();
  const view = await useRunning(supervisor);
  guest.exit(3);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe("Container Stopped with Exit Code: 3");
});

test("the maximum duration ends a microVM, asleep or not", async () => {
  const { supervisor } = await useSupervisor();
  const view = await useRunning(supervisor, { maximumDurationInSeconds: 1 });
  await supervisor.suspend(view.microvmId);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe("MicroVM exceeded maximum lifetime.");
});

test("a suspended duration of zero terminates instead of suspending", async () => {
  const { supervisor } = await useSupervisor();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, suspendedDurationSeconds: 0 } });
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
});

test("a new server re-attaches a running microVM and keeps a sleeping one asleep", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const [running, sleeping] = [await useRunning(supervisor), await useRunning(supervisor)];
  await supervisor.suspend(sleeping.microvmId);
  const next = restart();
  await next.recover();
  expect((await next.get(running.microvmId))?.state).toBe("RUNNING");
  expect((await next.get(sleeping.microvmId))?.state).toBe("SUSPENDED");
  expect(engine.living).toBe(1);
});

test("a server that goes down puts microVMs to sleep, and the next one wakes them", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await useRunning(supervisor, { idlePolicy: undefined });
  await supervisor.parkAll();
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
  expect(engine.living).toBe(0);
  const next = restart();
  await next.recover();
  await reaches(next, view, "RUNNING");
});

test("a server that has gone down is woken by no request, and starts nothing", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.goDown();
  expect(await knock(supervisor, view)).toEqual({ refused: "gone" });
  await supervisor.resume(view.microvmId);
  await expect(supervisor.run(runRequest())).rejects.toMatchObject({ code: "ERR_CANCELLED" });
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
  expect(engine.living).toBe(0);
});

test("a new server declares a running microVM lost when its machine is gone", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await useRunning(supervisor);
  for (const machine of engine.machines.values()) machine.phase = "gone";
  const next = restart();
  await next.recover();
  expect((await reaches(next, view, "TERMINATED")).stateReason).toBe(
    "The virtual machine of this MicroVM ended unexpectedly.",
  );
});

test("concurrent transitions of one microVM never race", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  const actions = [
    () => supervisor.suspend(view.microvmId),
    () => supervisor.resume(view.microvmId),
    () => knock(supervisor, view),
  ];
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      await setTimeout(index % 7);
      await actions[index % actions.length]?.();
    }),
  );
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  expect(engine.living).toBe(1);
});
