import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../../test/support/eventually.ts";
import { plainTemplates } from "../../test/support/plain-templates.ts";
import { useTinyGuest } from "../../test/support/tiny-guest.ts";
import { bootTiny } from "../../test/support/tiny-template.ts";
import { insertBuiltImage, knock, reaches, runRequest } from "../../test/support/use-supervisor.ts";
import { createGuestLink } from "../guest-link/tcp-guest-link.ts";
import { MicrovmSupervisor } from "../lifecycle/microvm-supervisor.ts";
import { servicePrices } from "../model/prices.ts";
import type { Usage } from "../model/usage.ts";
import { microvmStore } from "../store/microvm-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { Meter } from "./meter.ts";
import { createUsageReporter } from "./usage-report.ts";

const LIMIT_MS = 60_000;
const SMALLEST = JSON.stringify({ resources: [{ minimumMemoryInMiB: 512 }] });
const SNAPSHOT = { memorySnapshotSizeInBytes: 3 * 1024 ** 2, codeInstallSizeInBytes: 5, diskSnapshotSizeInBytes: 7 };
/** More memory than the baseline of the smallest size, and both processors; it ends with its session. */
const BURN = "/bin/busybox dd if=/dev/zero of=/dev/null bs=700M count=1; while :; do :; done & while :; do :; done";

/** A real microVM of the smallest size. */
async function useHouse() {
  const tiny = await useTinyGuest();
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  const template = await bootTiny(tiny, { shape: { memoryMiB: 1536, vcpus: 2 } });
  await insertBuiltImage(store, { template, rootfs: tiny.rootfs, container: {} });
  await store.db.updateTable("image_versions").set({ request_json: SMALLEST }).execute();
  await store.db
    .updateTable("image_builds")
    .set({ sizes_json: JSON.stringify(SNAPSHOT) })
    .execute();
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() } as never;
  const microvmsDirectory = join(tiny.home, "microvms");
  const meter = new Meter({
    store,
    engine: tiny.engine,
    log,
    hostId: "h",
    microvmsDirectory,
    pricesOf: servicePrices,
  });
  onTestFinished(() => meter.close());
  const supervisor = new MicrovmSupervisor({
    engine: tiny.engine,
    templates: plainTemplates(store),
    slots: tiny.pool,
    openLink: createGuestLink,
    egressOf: async () => ({ kind: "internet" }),
    store: microvmStore(store),
    meter,
    log,
    microvmsDirectory,
    dozeMs: 0,
    hostId: "h",
    endpointSuffix: () => ".localhost",
  });
  await supervisor.recover();
  const reporter = createUsageReporter({ store, pricesOf: servicePrices, flush: () => meter.flush() });
  const usage = async () => {
    const { microvms } = await reporter.report("123456789012", { from: 0, until: Date.now() });
    return microvms[0]?.usage;
  };
  const records = () => store.db.selectFrom("usage_records").selectAll().orderBy("id").execute();
  return { supervisor, usage, records };
}

test("processors and memory beyond the baseline, and what sleeps and wakes write and read, are measured", async () => {
  const { supervisor, usage, records } = await useHouse();
  const view = await supervisor.run(runRequest({ idlePolicy: undefined }));
  onTestFinished(() => supervisor.terminate(view.microvmId));
  await reaches(supervisor, view, "RUNNING");
  expect(await usage()).toMatchObject({ aboveGbSeconds: 0, snapshotReadGb: (3 * 1024 ** 2 + 7) / 1024 ** 3 });

  const link = await knock(supervisor, view);
  if ("refused" in link) throw new Error(link.refused);
  const session = await link.session({ argv: ["/bin/sh", "-c", BURN] });
  if ("refused" in session) throw new Error(session.refused);
  const used = await eventually<Usage>("use beyond the baseline", LIMIT_MS, async () => {
    const seen = await usage();
    const isBeyond = seen !== undefined && seen.aboveVcpuSeconds > 0.5 && seen.aboveGbSeconds > 0;
    return isBeyond ? { done: seen } : { saw: JSON.stringify(seen) };
  });
  session.destroy();
  // at most the peak, which is four times the baseline
  expect(used.aboveVcpuSeconds).toBeLessThan(3.001 * used.baselineVcpuSeconds);
  expect(used.aboveGbSeconds).toBeLessThan(3.001 * used.baselineGbSeconds);

  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  const [run, sleep] = await records();
  expect(run?.ended_at).toBe(run?.metered_until);
  expect(run?.above_vcpu_seconds).toBeGreaterThan(0.5);
  expect(sleep?.written_bytes).toBeGreaterThan(20_000);
  expect(sleep?.stored_bytes).toBeGreaterThan(sleep?.written_bytes ?? Infinity);

  await supervisor.parkAll(); // nothing dozes on
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  expect((await records()).at(-1)?.read_bytes).toBe(sleep?.written_bytes);
  await supervisor.terminate(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
  expect((await records()).map(({ kind, ended_at }) => [kind, ended_at !== null])).toEqual([
    ["running", true],
    ["asleep", true],
    ["running", true],
  ]);
});
