import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { MemoryEngine } from "../../test/support/memory-engine.ts";
import type { GuestEvent, GuestLink } from "../guest-link/guest-link.ts";
import { microvmStore } from "../store/microvm-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { MicrovmSupervisor } from "./microvm-supervisor.ts";
import type { IdlePolicy, MicrovmView, RunRequest } from "./microvm-service.ts";

const ACCOUNT = "123456789012";
const ARN = `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:app`;
const POLICY: IdlePolicy = { maxIdleDurationSeconds: 300, suspendedDurationSeconds: 300, autoResumeEnabled: true };

/** A guest that does nothing; `exit` makes its main process end. */
function quietGuest() {
  const exits: ((code: number) => void)[] = [];
  const wakes: number[] = [];
  const link = {
    wake: async () => void wakes.push(Date.now()),
    async *events(_from: number, signal: AbortSignal): AsyncGenerator<GuestEvent> {
      const code = await new Promise<number | undefined>((resolve) => {
        exits.push(resolve);
        signal.addEventListener("abort", () => resolve(undefined));
      });
      if (code !== undefined) yield { kind: "exited", code };
    },
  } as Partial<GuestLink> as GuestLink;
  return { link, wakes, exit: (code: number) => exits.at(-1)?.(code) };
}

async function useSupervisor() {
  const home = await mkdtemp(join(tmpdir(), "catnap-life-"));
  const store = openSqliteStore(":memory:");
  onTestFinished(async () => {
    await store.close();
    await rm(home, { recursive: true, force: true });
  });
  await store.db
    .insertInto("images")
    .values({
      arn: ARN,
      account_id: ACCOUNT,
      region: "us-east-1",
      name: "app",
      state: "CREATED",
      last_version: 1,
      tags_json: "{}",
      created_at: 1,
      updated_at: null,
    })
    .execute();
  await store.db
    .insertInto("image_versions")
    .values({
      image_arn: ARN,
      version: "1.0",
      number: 1,
      state: "SUCCESSFUL",
      status: "ACTIVE",
      request_json: "{}",
      state_reason: null,
      created_at: 1,
      updated_at: null,
    })
    .execute();
  const template = {
    template: { directory: join(home, "image"), shape: { memoryMiB: 1, vcpus: 1 }, fingerprint: "test" },
    rootfs: "/none",
    container: {},
  };
  await mkdir(template.template.directory);
  await writeFile(join(template.template.directory, "disk.upper"), "upper");
  await store.db
    .insertInto("image_builds")
    .values({
      build_id: "b1",
      image_arn: ARN,
      version: "1.0",
      host_id: "h",
      state: "SUCCESSFUL",
      architecture: "X86_64",
      chipset: "GENERIC",
      chipset_generation: "1",
      state_reason: null,
      sizes_json: null,
      template_json: JSON.stringify(template),
      created_at: 1,
    })
    .execute();
  const engine = new MemoryEngine();
  const guest = quietGuest();
  const leased = new Set<number>();
  const lease = (number: number) => {
    leased.add(number);
    return {
      number,
      network: { namespace: "n", tap: "t", mac: "m" },
      guest: { host: "127.0.0.1", port: 1 },
      release: async () => void leased.delete(number),
    };
  };
  let nextSlot = 0;
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const make = () =>
    new MicrovmSupervisor({
      engine,
      slots: {
        acquire: async () => lease(nextSlot++),
        adopt: (number) => (leased.has(number) ? lease(number) : undefined),
      },
      openLink: () => guest.link,
      store: microvmStore(store),
      log: log as never,
      microvmsDirectory: join(home, "microvms"),
      dozeMs: 60_000,
      hostId: "h",
      endpointSuffix: (region) => `.lambda-microvm.${region}.localhost`,
    });
  const supervisor = make();
  await supervisor.recover();
  return { supervisor, engine, guest, leased, restart: make };
}

function request(over: Partial<RunRequest> = {}): RunRequest {
  return {
    accountId: ACCOUNT,
    region: "us-east-1",
    imageArn: ARN,
    imageVersion: "1.0",
    buildId: "b1",
    idlePolicy: POLICY,
    maximumDurationInSeconds: 28800,
    ingressNetworkConnectors: [],
    egressNetworkConnectors: [],
    ...over,
  };
}

async function reaches(
  supervisor: MicrovmSupervisor,
  { microvmId }: MicrovmView,
  state: MicrovmView["state"],
): Promise<MicrovmView> {
  return vi.waitFor(
    async () => {
      const view = await supervisor.get(microvmId);
      expect(view?.state).toBe(state);
      return view as MicrovmView;
    },
    { timeout: 10_000 },
  );
}

const target = (supervisor: MicrovmSupervisor, view: MicrovmView) => supervisor.find(view.endpoint.split(".")[0] ?? "");

test("run answers PENDING at once and becomes RUNNING with a fresh clock", async () => {
  const { supervisor, guest } = await useSupervisor();
  const view = await supervisor.run(request());
  expect(view.state).toBe("PENDING");
  await reaches(supervisor, view, "RUNNING");
  expect(guest.wakes).toHaveLength(1);
});

test("many requests to a sleeper wake it once", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  const signal = new AbortController().signal;
  const links = await Promise.all(Array.from({ length: 20 }, async () => target(supervisor, view)?.awake(signal)));
  expect(links.every((link) => link !== undefined && !("refused" in link))).toBe(true);
  expect(engine.calls.filter((call) => call === "unpause")).toHaveLength(1);
});

test("a sleeper that must not wake by traffic refuses it and stays asleep", async () => {
  const { supervisor } = await useSupervisor();
  const view = await supervisor.run(request({ idlePolicy: { ...POLICY, autoResumeEnabled: false } }));
  await reaches(supervisor, view, "RUNNING");
  await supervisor.suspend(view.microvmId);
  expect(await target(supervisor, view)?.awake(new AbortController().signal)).toEqual({ refused: "asleep" });
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
});

test("a failed suspend leaves the microVM running", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  engine.failNext = "suspend";
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  expect(engine.living).toBe(1);
});

test("a failed wake keeps the sleeper, and the next one succeeds", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  await supervisor.suspend(view.microvmId);
  engine.failNext = "unpause";
  const signal = new AbortController().signal;
  expect(await target(supervisor, view)?.awake(signal)).toMatchObject({ refused: "failed" });
  expect(await target(supervisor, view)?.awake(signal)).not.toHaveProperty("refused");
});

test("a failed start ends the microVM with the reason and leaves no machine and no slot", async () => {
  const { supervisor, engine, leased } = await useSupervisor();
  engine.failNext = "restore";
  const view = await supervisor.run(request());
  const ended = await reaches(supervisor, view, "TERMINATED");
  expect(ended.stateReason).toContain("restore fails on request");
  expect(engine.living).toBe(0);
  expect(leased.size).toBe(0);
});

test("terminating, in any state and twice, ends with the service's reason and frees everything", async () => {
  const { supervisor, engine, leased } = await useSupervisor();
  const view = await supervisor.run(request());
  await Promise.all([supervisor.terminate(view.microvmId), supervisor.terminate(view.microvmId)]);
  const ended = await reaches(supervisor, view, "TERMINATED");
  expect(ended.stateReason).toBe("Success.");
  expect(ended.terminatedAt).toBeInstanceOf(Date);
  expect([engine.living, leased.size]).toEqual([0, 0]);
  expect(await target(supervisor, view)?.awake(new AbortController().signal)).toEqual({ refused: "gone" });
});

test("the main process ending ends the microVM with its exit code", async () => {
  const { supervisor, guest } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  await vi.waitFor(() => guest.exit(3));
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe("Container Stopped with Exit Code: 3");
});

test("the maximum duration ends a microVM, asleep or not", async () => {
  const { supervisor } = await useSupervisor();
  const view = await supervisor.run(request({ maximumDurationInSeconds: 1 }));
  await reaches(supervisor, view, "RUNNING");
  await supervisor.suspend(view.microvmId);
  expect((await reaches(supervisor, view, "TERMINATED")).stateReason).toBe("MicroVM exceeded maximum lifetime.");
});

test("a suspended duration of zero terminates instead of suspending", async () => {
  const { supervisor } = await useSupervisor();
  const view = await supervisor.run(request({ idlePolicy: { ...POLICY, suspendedDurationSeconds: 0 } }));
  await reaches(supervisor, view, "RUNNING");
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
});

test("a new server re-attaches a running microVM and keeps a sleeping one asleep", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const [running, sleeping] = [await supervisor.run(request()), await supervisor.run(request())];
  await reaches(supervisor, running, "RUNNING");
  await reaches(supervisor, sleeping, "RUNNING");
  await supervisor.suspend(sleeping.microvmId);
  const next = restart();
  await next.recover();
  expect((await next.get(running.microvmId))?.state).toBe("RUNNING");
  expect((await next.get(sleeping.microvmId))?.state).toBe("SUSPENDED");
  expect(engine.living).toBe(1);
});

test("a server that goes down puts microVMs to sleep, and the next one wakes them", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await supervisor.run(request({ idlePolicy: undefined }));
  await reaches(supervisor, view, "RUNNING");
  await supervisor.parkAll();
  expect((await supervisor.get(view.microvmId))?.state).toBe("SUSPENDED");
  expect(engine.living).toBe(0);
  const next = restart();
  await next.recover();
  await reaches(next, view, "RUNNING");
});

test("a new server declares a running microVM lost when its machine is gone", async () => {
  const { supervisor, engine, restart } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  for (const machine of engine.machines.values()) machine.phase = "gone";
  const next = restart();
  await next.recover();
  expect((await reaches(next, view, "TERMINATED")).stateReason).toBe(
    "The virtual machine of this MicroVM ended unexpectedly.",
  );
});

test("concurrent transitions of one microVM never race", async () => {
  const { supervisor, engine } = await useSupervisor();
  const view = await supervisor.run(request());
  await reaches(supervisor, view, "RUNNING");
  const signal = new AbortController().signal;
  const actions = [
    () => supervisor.suspend(view.microvmId),
    () => supervisor.resume(view.microvmId),
    () => target(supervisor, view)?.awake(signal),
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
