import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { useLambdaMicrovms } from "../../test/fixtures/use-lambda-microvms.ts";
import { gated, OPEN_GATE, type Gate } from "../../test/support/gated.ts";
import { MemoryEngine } from "../../test/support/memory-engine.ts";
import type { BuiltImage } from "../build/image-builder.ts";
import { TemplateKeeper } from "./template-keeper.ts";

const FOREVER = new AbortController().signal;

/** An image of the engine "test", on a host whose engine is "newer" by now. */
async function useUpgradedHost({ isOldKept = true } = {}) {
  const { makeImage, builder, queueOptions, store, paths, call } = await useLambdaMicrovms();
  const imageArn = await makeImage();
  const engine = new MemoryEngine();
  engine.capabilities = { ...engine.capabilities, fingerprint: "newer" };
  if (isOldKept) engine.kept.add("test");
  builder.fingerprint = "newer";
  const [{ build_id: buildId } = { build_id: "" }] = await store.db.selectFrom("image_builds").selectAll().execute();
  const open = (gate: Gate = OPEN_GATE) => {
    const keeper = new TemplateKeeper({
      ...queueOptions,
      store: { ...store, db: gate === OPEN_GATE ? store.db : store.db.withPlugin(afterEachStatement(gate)) },
      builder: gated(builder, gate),
      engine: gated(engine, gate),
      releaseTemplate: () => gate(),
      now: Date.now,
    });
    return keeper;
  };
  const keeper = open();
  onTestFinished(() => keeper.stop());
  const onRecord = async () => {
    const row = await store.db.selectFrom("image_builds").select("template_json").executeTakeFirstOrThrow();
    return JSON.parse(row.template_json ?? "") as BuiltImage;
  };
  return {
    keeper,
    engine,
    builder,
    buildId,
    open,
    onRecord,
    isRenewed: async () => (await onRecord()).template.fingerprint === "newer",
    version: () => call("GetMicrovmImageVersion", { imageIdentifier: imageArn, imageVersion: "1" }),
    files: async () => (await readdir(join(paths.images, buildId))).toSorted(),
    /** A microVM started from the template that is on record now; resolves with how to end it. */
    addMicrovm: async () => {
      const image = await onRecord();
      const { microvmId } = await call("RunMicrovm", { imageIdentifier: imageArn });
      const change = (values: { image_json: string } | { state: "TERMINATED"; image_json: null }) =>
        store.db.updateTable("microvms").set(values).where("id", "=", microvmId).execute();
      await change({ image_json: JSON.stringify(image) });
      return () => change({ state: "TERMINATED", image_json: null });
    },
  };
}

const afterEachStatement = (gate: Gate) => ({
  transformQuery: <Node>({ node }: { node: Node }) => node,
  transformResult: async <Result>({ result }: { result: Result }) => {
    await gate();
    return result;
  },
});

test("images of another engine are snapshotted again at a start, and the API shows nothing of it", async () => {
  const { keeper, engine, isRenewed, version, files } = await useUpgradedHost();
  const before = await version();
  expect(await keeper.start()).toBe(1);
  await expect.poll(isRenewed).toBe(true);
  expect(await version()).toEqual(before);
  await expect.poll(files).toEqual(["2"]);
  await expect.poll(() => engine.kept.size).toBe(0);
  expect(await keeper.start()).toBe(0);
});

test("an image serves from its old snapshot until the new one is there", async () => {
  const { keeper, builder, buildId, isRenewed, onRecord } = await useUpgradedHost();
  const gate = Promise.withResolvers<void>();
  builder.next = () => gate.promise;
  await keeper.start();
  using lease = await keeper.lease(buildId, FOREVER);
  expect(lease.image.template.fingerprint).toBe("test");
  gate.resolve();
  await expect.poll(isRenewed).toBe(true);
  await keeper.sweep();
  await access(join(lease.image.template.directory, "memory.base")); // somebody starts from it right now
  using next = await keeper.lease(buildId, FOREVER);
  expect(next.image).toEqual(await onRecord());
});

test("a template and its engine stay as long as a microVM that was started from them", async () => {
  const { keeper, engine, isRenewed, files, addMicrovm } = await useUpgradedHost();
  const [end, endOther] = [await addMicrovm(), await addMicrovm()];
  await keeper.start();
  await expect.poll(isRenewed).toBe(true);
  const uses = await keeper.sweep();
  expect(Object.fromEntries(uses)).toEqual({ test: { images: 0, microvms: 2 }, newer: { images: 1, microvms: 0 } });
  expect(await files()).toEqual(["2", "disk.upper", "memory.base"]);
  expect(engine.kept).toEqual(new Set(["test"]));
  await end();
  await endOther();
  await keeper.sweep();
  expect(await files()).toEqual(["2"]);
  expect(engine.kept.size).toBe(0);
});

test("runs of an image that nothing here loads wait until it is snapshotted again, once for all", async () => {
  const { keeper, builder, buildId } = await useUpgradedHost({ isOldKept: false });
  const leases = await Promise.all([1, 2, 3].map(() => keeper.lease(buildId, FOREVER)));
  expect(leases.map(({ image }) => image.template.fingerprint)).toEqual(["newer", "newer", "newer"]);
  expect(builder.requests).toHaveLength(2); // the build's own, and one
  expect(builder.requests[1]).toMatchObject({
    preface: expect.stringMatching(/^snapshotted again .*: the engine of this host has changed$/),
  });
});

test("a run that is not wanted any more does not wait; the snapshot is made all the same", async () => {
  const { keeper, builder, buildId, isRenewed } = await useUpgradedHost({ isOldKept: false });
  const gate = Promise.withResolvers<void>();
  builder.next = () => gate.promise;
  const hurry = new AbortController();
  const lease = keeper.lease(buildId, hurry.signal);
  hurry.abort(new Error("it is to end"));
  await expect(lease).rejects.toThrow("it is to end");
  gate.resolve();
  await expect.poll(isRenewed).toBe(true);
});

test("a snapshot that cannot be made again leaves the old one, says why, and is tried again when it is wanted", async () => {
  const { keeper, builder, buildId, isRenewed } = await useUpgradedHost({ isOldKept: false });
  builder.next = async () => {
    throw new Error("the app did not start");
  };
  await expect(keeper.lease(buildId, FOREVER)).rejects.toThrow(
    /^The image has to be snapshotted again \(the engine .*\), which failed: the app did not start$/,
  );
  expect(await isRenewed()).toBe(false);
  builder.next = async () => {};
  using lease = await keeper.lease(buildId, FOREVER);
  expect(lease.image.template.fingerprint).toBe("newer");
});

test("a damaged snapshot is made again before a microVM starts from it; a damaged root file system cannot be", async () => {
  const { keeper, engine, builder, buildId, onRecord } = await useUpgradedHost();
  const { template, rootfs } = await onRecord();
  engine.damaged.add(join(template.directory, "memory.base"));
  using lease = await keeper.lease(buildId, FOREVER);
  expect(lease.image.template.directory).not.toBe(template.directory);
  expect(builder.requests.at(-1)?.preface).toMatch(/: memory.base of its snapshot is damaged$/);
  engine.damaged.add(rootfs);
  await expect(keeper.lease(buildId, FOREVER)).rejects.toThrow(/^The root file system of the image is damaged; build/);
});

test("a template that the disk has forgotten a bit of is made again before anybody wants it", async () => {
  const { keeper, engine, addMicrovm, onRecord } = await useUpgradedHost();
  const { template } = await onRecord();
  await addMicrovm();
  await keeper.verify();
  expect((await onRecord()).template).toEqual(template);
  engine.damaged.add(join(template.directory, "memory.base"));
  await keeper.verify();
  await expect.poll(async () => (await onRecord()).template.directory).not.toBe(template.directory);
});

test("a renewal is broken off when its build is to be removed", async () => {
  const { keeper, builder, buildId } = await useUpgradedHost();
  let isAborted = false;
  builder.next = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        isAborted = true;
        reject(signal.reason as Error);
      });
    });
  await keeper.start();
  await expect.poll(() => builder.requests.length).toBe(2);
  await keeper.release(buildId);
  expect(isAborted).toBe(true);
});

test("a server killed at any step of a renewal leaves a whole template, and the next one finishes", async () => {
  for (let steps = 0; ; steps++) {
    const world = await useUpgradedHost({ isOldKept: steps % 2 === 0 });
    let passed = 0;
    const death = Promise.withResolvers<"killed">();
    const gate = () => {
      if (passed++ < steps) return Promise.resolve();
      death.resolve("killed");
      return new Promise<never>(() => {});
    };
    const killed = world.open(gate);
    const life = (async () => {
      await killed.start();
      using _ = await killed.lease(world.buildId, FOREVER);
      while (!(await world.isRenewed())) await new Promise((resolve) => setTimeout(resolve, 1));
      await killed.sweep();
      return "over" as const;
    })();
    const outcome = await Promise.race([life, death.promise]);
    const template = (await world.onRecord()).template.directory;
    expect(await readFile(join(template, "memory.base"), "utf8"), `after ${steps} steps`).toBe("memory");
    const next = world.open();
    await next.start();
    using lease = await next.lease(world.buildId, FOREVER);
    expect(await readFile(join(lease.image.template.directory, "memory.base"), "utf8")).toBe("memory");
    await expect.poll(world.isRenewed).toBe(true);
    lease[Symbol.dispose]();
    await next.stop();
    await next.sweep();
    const left = await world.files();
    expect(left, `after ${steps} steps`).toEqual([(await world.onRecord()).template.directory.split("/").at(-1)]);
    expect(steps).toBeLessThan(100);
    if (outcome === "killed") continue;
    expect(steps).toBeGreaterThan(10);
    break;
  }
}, 60_000);
