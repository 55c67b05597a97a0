import { expect, test } from "vitest";
import { reaches, runRequest, useRunning, useSupervisor } from "../../test/support/use-supervisor.ts";
import { HostCapacity } from "./host-capacity.ts";

/** A host whose available memory is what the test says. */
function useHost(availableMiB: number) {
  const host = { totalMiB: 10_000, availableMiB };
  const capacity = new HostCapacity({ readMemory: async () => host, reserveMiB: 1000 });
  return { host, capacity };
}

const FULL = { code: "ERR_HOST_FULL", message: expect.stringMatching(/CATNAP_MEMORY_RESERVE_MIB/) };

test("machines are let in while there is memory beyond the reserve, and those that start are counted", async () => {
  const { capacity } = useHost(1150);
  const [one] = [await capacity.admit(), await capacity.admit()];
  await expect(capacity.admit()).rejects.toMatchObject(FULL);
  one.release();
  one.release();
  await capacity.admit();
  await expect(capacity.admit()).rejects.toMatchObject(FULL);
  expect(await capacity.isAmple()).toBe(false);
});

test("a share of the host is kept free where nobody says how much", async () => {
  const readMemory = async () => ({ totalMiB: 20_000, availableMiB: 1063 });
  await expect(new HostCapacity({ readMemory, reserveMiB: "auto" }).admit()).rejects.toMatchObject(FULL);
  await new HostCapacity({
    readMemory: async () => ({ totalMiB: 20_000, availableMiB: 1064 }),
    reserveMiB: "auto",
  }).admit();
});

test("a full host refuses a run before anything is made, and a wake without harm", async () => {
  const { host, capacity } = useHost(5000);
  const { supervisor, engine, leased, store } = await useSupervisor({ capacity, dozeMs: 0 });
  const view = await useRunning(supervisor);
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  await expect.poll(() => engine.living).toBe(0);
  host.availableMiB = 1050;
  await expect(supervisor.run(runRequest())).rejects.toMatchObject(FULL);
  expect(await store.db.selectFrom("microvms").select("id").execute()).toEqual([{ id: view.microvmId }]);
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  expect([engine.living, leased.size]).toEqual([0, 0]);
  host.availableMiB = 5000;
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
});

test("machines that doze make room, the one that dozes longest first", async () => {
  const { host, capacity } = useHost(5000);
  const { supervisor, engine } = await useSupervisor({ capacity });
  const sleepers = [await useRunning(supervisor), await useRunning(supervisor)];
  for (const view of sleepers) {
    await supervisor.suspend(view.microvmId);
    await reaches(supervisor, view, "SUSPENDED");
  }
  expect(engine.living).toBe(2);
  let asked = 0;
  Object.defineProperty(host, "availableMiB", { get: () => (asked++ === 0 ? 1000 : 2000) });
  const view = await useRunning(supervisor);
  expect(engine.living).toBe(2);
  const left = [...engine.machines.values()].filter(({ phase }) => phase !== "gone");
  expect(left.map(({ handle }) => handle.directory)).toEqual([
    expect.stringContaining(sleepers[1]!.microvmId),
    expect.stringContaining(view.microvmId),
  ]);
});
