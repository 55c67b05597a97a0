import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  knock,
  POLICY,
  reaches,
  runRequest,
  useRunning,
  useSupervisor,
  type ScriptedGuest,
} from "../../test/support/use-supervisor.ts";
import { AppError } from "../errors/app-error.ts";
import { DiskReserve } from "../util/disk-reserve.ts";

type World = Awaited<ReturnType<typeof useSupervisor>>;

const HOOKS = { port: 9000, ready: 30, suspend: 30, resume: 30 };
const LOST = "The virtual machine of this MicroVM ended unexpectedly.";
const stateOf = async ({ supervisor }: World, id: string) => (await supervisor.get(id))?.state;

/** The guest's app takes this call as a sign. */
function during(guest: ScriptedGuest, hook: string, happens: () => void): void {
  guest.answers.set(hook, (_request, response) => {
    happens();
    response.writeHead(200).end();
  });
}

test("a machine killed while running ends its microVM, and no other", async () => {
  const { supervisor, engine, leased } = await useSupervisor();
  const [one, other] = [await useRunning(supervisor), await useRunning(supervisor)];
  [...engine.machines.values()].find(({ handle }) => handle.directory.endsWith(one.microvmId))?.end();
  expect((await reaches(supervisor, one, "TERMINATED")).stateReason).toBe(LOST);
  expect(await knock(supervisor, one)).toEqual({ refused: "gone" });
  expect(await knock(supervisor, other)).not.toHaveProperty("refused");
  expect([engine.living, leased.size]).toEqual([1, 1]);
});

test("a machine killed while it is being suspended ends its microVM", async () => {
  const { supervisor, engine, guest, leased } = await useSupervisor({ hooks: HOOKS });
  const view = await useRunning(supervisor);
  during(guest, "suspend", () => engine.kill());
  await supervisor.suspend(view.microvmId);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe(LOST);
  expect(leased.size).toBe(0);
});

test("a machine killed while it dozes costs nothing: it sleeps on, frees its slot and wakes from disk", async () => {
  const world = await useSupervisor();
  const { supervisor, engine, leased } = world;
  const view = await useRunning(supervisor);
  await engine.serve(world.directoryOf(view));
  await supervisor.suspend(view.microvmId);
  engine.kill();
  await expect.poll(() => leased.size).toBe(0);
  expect(await stateOf(world, view.microvmId)).toBe("SUSPENDED");
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  expect(await engine.serve(world.directoryOf(view))).toEqual({ memory: 2, disk: 2 });
  expect([engine.living, leased.size]).toEqual([1, 1]);
});

test("a disk that is full during a suspend leaves the microVM running, its files gone and its idle time started anew", async () => {
  const world = await useSupervisor();
  const { supervisor, engine, log } = world;
  const view = await useRunning(supervisor);
  await engine.serve(world.directoryOf(view));
  engine.failNext = "suspend";
  await writeFile(join(world.directoryOf(view), "memory.diff.new"), "half");
  await supervisor.suspend(view.microvmId);
  expect(await stateOf(world, view.microvmId)).toBe("RUNNING");
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  expect(await engine.serve(world.directoryOf(view))).toEqual({ memory: 2, disk: 2 });
  expect((await readdir(world.directoryOf(view))).filter((name) => name.startsWith("memory"))).toEqual([]);
  expect(log.error).toHaveBeenCalledWith(expect.anything(), expect.stringMatching(/^suspend failed, nothing is lost/));
  await supervisor.suspend(view.microvmId);
  expect(await stateOf(world, view.microvmId)).toBe("SUSPENDED");
});

test("a store that is full stops no running microVM and loses no sleeper", async () => {
  const world = await useSupervisor();
  const { supervisor, rows, engine, leased, restart } = world;
  const [running, sleeping] = [await useRunning(supervisor), await useRunning(supervisor)];
  await supervisor.suspend(sleeping.microvmId);
  rows.isFull = true;
  await supervisor.suspend(running.microvmId);
  expect(await stateOf(world, running.microvmId)).toBe("RUNNING");
  expect(await knock(supervisor, running)).not.toHaveProperty("refused");
  expect(await knock(supervisor, sleeping)).not.toHaveProperty("refused");
  await engine.serve(world.directoryOf(sleeping));
  rows.isFull = false;
  const next = restart();
  await next.recover();
  expect(await knock(next, sleeping)).not.toHaveProperty("refused");
  expect(await engine.serve(world.directoryOf(sleeping))).toEqual({ memory: 2, disk: 2 });
  expect([engine.living, leased.size]).toEqual([2, 2]);
});

test("a microVM that ended while the store was full stays ended", async () => {
  const world = await useSupervisor();
  const { supervisor, rows, engine } = world;
  const view = await useRunning(supervisor);
  rows.isFull = true;
  await supervisor.terminate(view.microvmId);
  expect(await supervisor.get(view.microvmId)).toMatchObject({ state: "TERMINATED", stateReason: "Success." });
  expect(engine.living).toBe(0);
  rows.isFull = false;
  const next = world.restart();
  await next.recover();
  expect((await next.get(view.microvmId))?.state).toBe("TERMINATED");
});

test("what could not be stored is stored as soon as there is room", async () => {
  const { supervisor, rows, store } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  rows.isFull = true;
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  await vi.advanceTimersByTimeAsync(10_000); // still full
  rows.isFull = false;
  await vi.advanceTimersByTimeAsync(10_000);
  await expect
    .poll(async () => store.db.selectFrom("microvms").select(["state", "suspended_at"]).execute())
    .toEqual([{ state: "RUNNING", suspended_at: null }]);
});

test("a start that cannot be recorded ends, and leaves no machine", async () => {
  const { supervisor, rows, engine, leased } = await useSupervisor();
  rows.isFull = true;
  const view = await supervisor.run(runRequest());
  await reaches(supervisor, view, "TERMINATED");
  expect([engine.living, leased.size]).toEqual([0, 0]);
});

test("a wake that fails once the guest has run saves the sleeper anew, consistent with its disk", async () => {
  const world = await useSupervisor();
  const { supervisor, engine, guest, leased } = world;
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  engine.kill();
  guest.failWake = true;
  guest.link.wake = async () => {
    await engine.serve(world.directoryOf(view)); // what the app does before anybody asks it
    throw new Error("unreachable");
  };
  expect(await knock(supervisor, view)).toMatchObject({ refused: "failed" });
  expect(await stateOf(world, view.microvmId)).toBe("SUSPENDED");
  expect([engine.living, leased.size]).toEqual([0, 0]);
  guest.link.wake = async () => {};
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  expect(await engine.serve(world.directoryOf(view))).toEqual({ memory: 2, disk: 2 });
});

test("a machine killed while it wakes, after its guest wrote to the disk, ends its microVM", async () => {
  for (const sleep of ["doze", "deep"]) {
    const world = await useSupervisor();
    const { supervisor, engine, guest, leased } = world;
    const view = await useRunning(supervisor);
    await supervisor.suspend(view.microvmId);
    if (sleep === "deep") engine.kill();
    guest.link.wake = async () => {
      await setTimeout(20); // longer than the file system's clock takes from one moment to the next
      await engine.serve(world.directoryOf(view));
      engine.kill();
      throw new Error("unreachable");
    };
    expect(await knock(supervisor, view)).toMatchObject({ refused: "failed" });
    expect(await supervisor.get(view.microvmId)).toMatchObject({ state: "TERMINATED", stateReason: LOST });
    expect([engine.living, leased.size]).toEqual([0, 0]);
  }
});

test("a machine killed while it wakes, before its guest wrote anything, costs nothing", async () => {
  const world = await useSupervisor();
  const { supervisor, engine, guest } = world;
  const view = await useRunning(supervisor);
  await engine.serve(world.directoryOf(view));
  await supervisor.suspend(view.microvmId);
  guest.link.wake = async () => {
    engine.kill();
    throw new Error("unreachable");
  };
  expect(await knock(supervisor, view)).toMatchObject({ refused: "failed" });
  guest.link.wake = async () => {};
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  expect(await engine.serve(world.directoryOf(view))).toEqual({ memory: 2, disk: 2 });
});

test("a machine that ended while no server ran, after its guest had woken and written, ends its microVM", async () => {
  const world = await useSupervisor();
  const { supervisor, engine, restart } = world;
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  const [machine] = engine.machines.values();
  await machine?.unpause(); // all that a wake did before the server was killed
  await setTimeout(20);
  await engine.serve(world.directoryOf(view));
  machine!.phase = "gone"; // and no server saw it
  const next = restart();
  await next.recover();
  expect(await next.get(view.microvmId)).toMatchObject({ state: "TERMINATED", stateReason: LOST });
});

test("a damaged sleeper ends with the reason, and others live on", async () => {
  const { supervisor, engine } = await useSupervisor({ dozeMs: 0 });
  const [damaged, other] = [await useRunning(supervisor), await useRunning(supervisor)];
  await supervisor.suspend(damaged.microvmId);
  await expect.poll(() => engine.living).toBe(1);
  engine.resume = () => {
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "its checksum does not match" });
  };
  expect(await knock(supervisor, damaged)).toMatchObject({ refused: "failed" });
  const ended = await reaches(supervisor, damaged, "TERMINATED");
  expect(ended.stateReason).toBe("The MicroVM could not be resumed: its checksum does not match");
  expect(await knock(supervisor, other)).not.toHaveProperty("refused");
});

test("a sleeper of another engine version is kept", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.parkAll();
  Object.assign(engine, { capabilities: { ...engine.capabilities, fingerprint: "newer" } });
  engine.resume = () => {
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "made by another version" });
  };
  const next = restart();
  await next.recover();
  expect(await knock(next, view)).toMatchObject({ refused: "failed" });
  expect((await next.get(view.microvmId))?.state).toBe("SUSPENDED");
});

test("a parked microVM wakes by traffic even without auto-resume", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await useRunning(supervisor, { idlePolicy: { ...POLICY, autoResumeEnabled: false } });
  await supervisor.parkAll();
  const next = restart();
  engine.failNext = "resume"; // the wake after the start
  await next.recover();
  await expect.poll(() => engine.calls.includes("resume")).toBe(true);
  expect(await knock(next, view)).not.toHaveProperty("refused");
});

test("a server that restarts does not disturb a microVM that runs", async () => {
  const { supervisor, guest, restart } = await useSupervisor({ hooks: HOOKS });
  await useRunning(supervisor);
  await restart().recover();
  expect(guest.wakes).toHaveLength(1); // a second one would cut its connections
  expect(guest.hooksSeen).toEqual([]);
});

test("two hundred requests to one sleeper wake it once, from disk too", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  engine.kill();
  const links = await Promise.all(Array.from({ length: 200 }, () => knock(supervisor, view)));
  expect(links.filter((link) => "refused" in link)).toEqual([]);
  expect(engine.calls.filter((call) => call === "resume")).toHaveLength(1);
});

test("a disk that runs full refuses runs first and wakes later, and neither costs anything", async () => {
  const space = { totalMiB: 100_000, freeMiB: 50_000 };
  const disk = new DiskReserve({ directory: "/none", reserveMiB: 1000, readSpace: async () => space });
  const world = await useSupervisor({ disk });
  const { supervisor, engine, store } = world;
  const view = await useRunning(supervisor);
  space.freeMiB = 900;
  await expect(supervisor.run(runRequest())).rejects.toMatchObject({ code: "ERR_DISK_FULL" });
  expect(await store.db.selectFrom("microvms").select("id").execute()).toEqual([{ id: view.microvmId }]);
  for (const freeMiB of [900, 0]) {
    await supervisor.suspend(view.microvmId);
    space.freeMiB = freeMiB;
    expect("refused" in (await knock(supervisor, view))).toBe(freeMiB === 0);
  }
  expect(await stateOf(world, view.microvmId)).toBe("SUSPENDED");
  expect(engine.living).toBe(1); // it dozes on
  space.freeMiB = 5000;
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
});

test("a machine that stands still for want of disk is not suspended, and its app is not blamed", async () => {
  const world = await useSupervisor({ hooks: HOOKS });
  const { supervisor, engine, guest } = world;
  const view = await useRunning(supervisor);
  const [machine] = [...engine.machines.values()];
  machine!.standsStill = true;
  await supervisor.suspend(view.microvmId);
  expect([await stateOf(world, view.microvmId), guest.hooksSeen]).toEqual(["RUNNING", []]);
  machine!.standsStill = false;
  guest.answers.set("suspend", (_request, response) => {
    machine!.standsStill = true;
    response.writeHead(500).end();
  });
  await supervisor.suspend(view.microvmId);
  expect(await stateOf(world, view.microvmId)).toBe("RUNNING");
  expect(guest.hooksSeen.map(({ hook }) => hook)).toEqual(["suspend", "resume"]);
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
});
