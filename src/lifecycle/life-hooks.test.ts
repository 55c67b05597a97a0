import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  knock,
  POLICY,
  reaches,
  runRequest,
  useRunning,
  useSupervisor,
  type ScriptedGuest,
} from "../../test/support/use-supervisor.ts";

const HOOKS = { port: 9000, ready: 30, run: 30, resume: 30, suspend: 30, terminate: 30 };
const ADVICE = "Please check your hook endpoint and application logs for more details.";

/** Holds the answers to a hook until released. */
function hold(guest: ScriptedGuest, hook: string): () => void {
  const gate = Promise.withResolvers<void>();
  guest.answers.set(hook, (_request, response) => void gate.promise.then(() => response.writeHead(200).end()));
  return gate.resolve;
}

const called = (guest: ScriptedGuest) => guest.hooksSeen.map(({ hook }) => hook);

test("every turn of a life calls its hook, after the clock is right", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor, { runHookPayload: '{"tenant":"a"}' });
  await supervisor.suspend(view.microvmId);
  await supervisor.resume(view.microvmId);
  await supervisor.terminate(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
  expect(guest.wakes).toHaveLength(2);
  expect(guest.hooksSeen).toEqual([
    { hook: "run", body: JSON.stringify({ microvmId: view.microvmId, runHookPayload: '{"tenant":"a"}' }) },
    { hook: "suspend", body: "" },
    { hook: "resume", body: "" },
    { hook: "terminate", body: "" },
  ]);
});

test("a run hook without a payload gets an empty one", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  await useRunning(supervisor);
  expect(JSON.parse(guest.hooksSeen[0]?.body ?? "")).toMatchObject({ runHookPayload: "" });
});

test("the payload is not kept once the run hook has answered", async () => {
  const { supervisor, store } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor, { runHookPayload: "secret" });
  const row = await store.db.selectFrom("microvms").selectAll().executeTakeFirstOrThrow();
  expect(JSON.stringify([row, view])).not.toContain("secret");
  expect(view.idlePolicy).toEqual(POLICY);
});

test("a hook that is not enabled costs no connection", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: { port: 9000, ready: 30, suspend: 30 } });
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await supervisor.resume(view.microvmId);
  await supervisor.terminate(view.microvmId);
  expect(called(guest)).toEqual(["suspend"]);
});

test.each(["run", "resume"])("no traffic comes before /%s has answered", async (hook) => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  const release = hold(guest, hook);
  const view = await supervisor.run(runRequest());
  if (hook === "resume") {
    await reaches(supervisor, view, "RUNNING");
    await supervisor.suspend(view.microvmId);
  }
  let isThrough = false;
  const knocking = knock(supervisor, view).then((link) => ((isThrough = true), link));
  await expect.poll(() => called(guest)).toContain(hook);
  await setTimeout(50);
  expect(isThrough).toBe(false);
  release();
  expect(await knocking).not.toHaveProperty("refused");
});

test.each([
  ["run", "Run"],
  ["suspend", "Suspend"],
  ["resume", "Resume"],
])("a failed %s hook ends the microVM with the service's reason and leaves nothing", async (hook, name) => {
  const { supervisor, guest, engine, leased } = await useSupervisor({ hooks: HOOKS });
  guest.answer(hook, 500);
  const view = await supervisor.run(runRequest());
  if (hook !== "run") await reaches(supervisor, view, "RUNNING");
  if (hook !== "run") await supervisor.suspend(view.microvmId);
  if (hook === "resume") expect(await knock(supervisor, view)).toEqual({ refused: "gone" });
  const ended = await reaches(supervisor, view, "TERMINATED");
  expect(ended.stateReason).toBe(`${name} lifecycle hook returned HTTP status 500. ${ADVICE}`);
  expect([engine.living, leased.size]).toEqual([0, 0]);
  expect(called(guest)).not.toContain("terminate");
});

test("a refused connection and a silent hook have reasons of their own", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: { ...HOOKS, run: 1 } });
  hold(guest, "run");
  const silent = await reaches(supervisor, await supervisor.run(runRequest()), "TERMINATED");
  expect(silent.stateReason).toBe("Run lifecycle hook timed out");
  guest.hookPort = undefined;
  const closed = await reaches(supervisor, await supervisor.run(runRequest()), "TERMINATED");
  expect(closed.stateReason).toBe(`Run lifecycle hook connection was refused. ${ADVICE}`);
});

test("an app that has ended is told by its exit, not by the hook that found out", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  guest.hookPort = undefined;
  guest.status = { app: "exited", code: 137 };
  const ended = await reaches(supervisor, await supervisor.run(runRequest()), "TERMINATED");
  expect(ended.stateReason).toBe("Container Stopped with Exit Code: 137");
});

test("a terminate hook that fails, or never answers in time, changes nothing", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: { ...HOOKS, terminate: 1 } });
  guest.answer("terminate", 500);
  const refusing = await useRunning(supervisor);
  await supervisor.terminate(refusing.microvmId);
  expect((await reaches(supervisor, refusing, "TERMINATED")).stateReason).toBe("Success.");
  hold(guest, "terminate");
  const silent = await useRunning(supervisor);
  await supervisor.terminate(silent.microvmId);
  expect((await reaches(supervisor, silent, "TERMINATED")).stateReason).toBe("Success.");
});

test("a sleeper that is terminated is not woken for its hook", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await supervisor.terminate(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
  expect(called(guest)).toEqual(["run", "suspend"]);
});

test.each(["run", "suspend"])("a termination does not wait for a held %s hook", async (hook) => {
  const { supervisor, guest } = await useSupervisor({ hooks: { ...HOOKS, [hook]: 60 } });
  hold(guest, hook);
  const view = await supervisor.run(runRequest());
  if (hook === "suspend") await reaches(supervisor, view, "RUNNING");
  if (hook === "suspend") void supervisor.suspend(view.microvmId);
  await expect.poll(() => called(guest)).toContain(hook);
  await supervisor.terminate(view.microvmId);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe("Success.");
  // only an app that has been running is told
  expect(called(guest).includes("terminate")).toBe(hook === "suspend");
});

test("a machine that dies while its hook is held ends the microVM at once", async () => {
  const { supervisor, guest, engine } = await useSupervisor({ hooks: HOOKS });
  hold(guest, "run");
  const view = await supervisor.run(runRequest());
  await expect.poll(() => called(guest)).toContain("run");
  engine.kill();
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toMatch(/ended unexpectedly/);
});

test("a server that goes down calls the suspend hook, and no answer costs the microVM", async () => {
  const { supervisor, guest, restart } = await useSupervisor({ hooks: HOOKS });
  guest.answer("suspend", 500);
  const view = await useRunning(supervisor);
  await supervisor.parkAll();
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
  const next = restart();
  await next.recover();
  await reaches(next, view, "RUNNING");
  expect(called(guest)).toEqual(["run", "suspend", "resume"]);
});

test("an app that was told of a suspend which then failed is told that it goes on", async () => {
  const { supervisor, guest, engine } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor);
  engine.failNext = "suspend";
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  expect(called(guest)).toEqual(["run", "suspend", "resume"]);
});

test("connections are cut before the suspend hook is called", async () => {
  const { supervisor, guest } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor);
  const target = supervisor.find(view.endpoint.split(".")[0] ?? "");
  const order: string[] = [];
  target?.onDown(() => order.push("down"));
  guest.answers.set("suspend", (_request, response) => {
    order.push("hook");
    response.writeHead(200).end();
    void once(response, "close");
  });
  await supervisor.suspend(view.microvmId);
  expect(order).toEqual(["down", "hook"]);
});
