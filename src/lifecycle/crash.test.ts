import { expect, test } from "vitest";
import type { Gate } from "../../test/support/gated.ts";
import { knock, reaches, runRequest, useSupervisor } from "../../test/support/use-supervisor.ts";
import type { MicrovmSupervisor } from "./microvm-supervisor.ts";
import type { MicrovmView } from "./microvm-service.ts";

const HOOKS = { port: 9000, ready: 30, run: 30, resume: 30, suspend: 30, terminate: 30 };

/** Lets so many steps pass; then nothing of this server ever goes on, as after `kill -9`. */
function killAfter(steps: number) {
  const death = Promise.withResolvers<void>();
  let passed = 0;
  const gate: Gate = () => {
    if (passed++ < steps) return Promise.resolve();
    death.resolve();
    return new Promise(() => {});
  };
  return { gate, death: death.promise, kill: () => (passed = steps) };
}

type World = Awaited<ReturnType<typeof useSupervisor>>;

/** What a client has done and been told, while the server lived. */
interface Client {
  view?: MicrovmView;
  served: number;
  hasTerminated: boolean;
}

async function ask(world: World, supervisor: MicrovmSupervisor, client: Client): Promise<void> {
  const view = client.view as MicrovmView;
  expect(await knock(supervisor, view)).not.toHaveProperty("refused");
  const { memory, disk } = await world.engine.serve(world.directoryOf(view));
  client.served++;
  expect({ memory, disk }).toEqual({ memory: client.served, disk: client.served });
}

/** A life with everything in it: a wake from a doze, two from disk, an end. */
async function live(world: World, supervisor: MicrovmSupervisor, client: Client): Promise<void> {
  client.view = await supervisor.run(runRequest());
  const { microvmId } = client.view;
  await ask(world, supervisor, client);
  await supervisor.suspend(microvmId);
  await ask(world, supervisor, client);
  await supervisor.suspend(microvmId);
  await supervisor.parkAll(); // nothing dozes on
  await ask(world, supervisor, client);
  await supervisor.parkAll();
  await supervisor.resume(microvmId);
  await ask(world, supervisor, client);
  client.hasTerminated = true;
  await supervisor.terminate(microvmId);
  await reaches(supervisor, client.view, "TERMINATED");
}

async function liveUntilKilled(world: World, steps: number): Promise<{ client: Client; isOver: boolean }> {
  const client: Client = { served: 0, hasTerminated: false };
  const { gate, death } = killAfter(steps);
  const supervisor = world.restart(gate);
  const isOver = await Promise.race([live(world, supervisor, client).then(() => true), death.then(() => false)]);
  return { client, isOver };
}

/** Of a microVM that has ended: runs and sleeps follow one another, none is open and none overlaps the next. */
async function checkUsage({ store }: World): Promise<void> {
  const records = await store.db.selectFrom("usage_records").selectAll().orderBy("id").execute();
  for (const [index, { kind, began_at, ended_at }] of records.entries()) {
    expect(ended_at).toBeGreaterThanOrEqual(began_at);
    const before = records[index - 1];
    if (before === undefined) expect(kind).toBe("running");
    else {
      expect(began_at).toBeGreaterThanOrEqual(before.ended_at ?? Infinity);
      expect([kind, before.kind]).not.toEqual(["asleep", "asleep"]);
    }
  }
}

async function checkAfterwards(world: World, client: Client): Promise<void> {
  const held = new Set(world.leased);
  const next = world.restart();
  await next.recover();
  for (const slot of held) if (!world.isSlotInUse(slot)) world.leased.delete(slot); // SlotPool.removeOrphans
  const rows = await world.store.db.selectFrom("microvms").selectAll().execute();
  if (client.view === undefined && rows.length === 0) return;
  expect(rows).toHaveLength(1);
  // killed before run answered: the client knows nothing of it, but it lives
  client.view ??= (await next.get(rows[0]!.id)) as MicrovmView;
  if (client.hasTerminated && rows[0]!.state !== "RUNNING") {
    await reaches(next, client.view, "TERMINATED");
    expect([world.engine.living, world.leased.size]).toEqual([0, 0]);
    return checkUsage(world);
  }
  await ask(world, next, client);
  expect([world.engine.living, world.leased.size]).toEqual([1, 1]);
  await next.suspend(client.view.microvmId);
  await ask(world, next, client);
  await next.terminate(client.view.microvmId);
  await reaches(next, client.view, "TERMINATED");
  expect([world.engine.living, world.leased.size]).toEqual([0, 0]);
  await checkUsage(world);
}

test("a server killed at any step of a life loses no request, doubles no machine and leaves nothing behind", async () => {
  let steps = 0;
  for (; ; steps++) {
    const world = await useSupervisor({ hooks: HOOKS });
    const { client, isOver } = await liveUntilKilled(world, steps);
    if (isOver) break;
    await checkAfterwards(world, client).catch((cause: unknown) => {
      throw new Error(`killed after ${steps} steps`, { cause });
    });
  }
  expect(steps).toBeGreaterThan(60);
}, 120_000);

test("a server killed again while it recovers loses nothing either", async () => {
  for (let first = 0; first < 80; first += 3) {
    for (const second of [1, 2, 3, 5, 8, 13]) {
      const world = await useSupervisor({ hooks: HOOKS });
      const { client } = await liveUntilKilled(world, first);
      const { gate, death, kill } = killAfter(second);
      await Promise.race([world.restart(gate).recover(), death]);
      kill();
      await checkAfterwards(world, client).catch((cause: unknown) => {
        throw new Error(`killed after ${first} and ${second} steps`, { cause });
      });
    }
  }
}, 120_000);
