import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createInput, imageArnOf, useLambdaMicrovms } from "../../test/fixtures/use-lambda-microvms.ts";
import { managedConnectorArn } from "../model/connectors.ts";
import { BuildQueue } from "./build-queue.ts";

test("two builds run at a time, the others wait", async () => {
  const { call, builds, builder } = await useLambdaMicrovms();
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  builder.next = async () => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
  };
  for (const name of ["a", "b", "c", "d", "e"]) await call("CreateMicrovmImage", createInput(name));
  await expect.poll(() => builder.requests.length).toBe(2);
  expect(await call("GetMicrovmImageVersion", { imageIdentifier: imageArnOf("a"), imageVersion: "1" })).toMatchObject({
    state: "IN_PROGRESS",
  });
  expect(await call("GetMicrovmImageVersion", { imageIdentifier: imageArnOf("e"), imageVersion: "1" })).toMatchObject({
    state: "PENDING",
  });
  gate.resolve();
  await builds.idle();
  expect(most).toBe(2);
  expect(builder.requests).toHaveLength(5);
});

test("builds that a stop broke off are built at the next start, in a clean directory", async () => {
  const { call, builds, builder, queueOptions } = await useLambdaMicrovms();
  builder.next = async ({ directory }, signal) => {
    await writeFile(join(directory, "half"), "");
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  };
  await call("CreateMicrovmImage", createInput("app"));
  await expect.poll(() => builder.requests.length).toBe(1);
  await builds.stop();
  expect(await call("GetMicrovmImage", { imageIdentifier: imageArnOf("app") })).toMatchObject({ state: "CREATING" });
  builder.next = async ({ directory }) => {
    await expect(access(join(directory, "half"))).rejects.toThrow("ENOENT");
  };
  const restarted = new BuildQueue(queueOptions);
  await restarted.recover();
  await restarted.idle();
  expect(await call("GetMicrovmImage", { imageIdentifier: imageArnOf("app") })).toMatchObject({ state: "CREATED" });
});

test("deletions that a crash broke off are ended at the next start, and nothing unreferenced stays", async () => {
  const { call, builds, makeImage, queueOptions, paths, store } = await useLambdaMicrovms();
  const arn = await makeImage();
  const kept = await makeImage("kept");
  const { name: _name, ...update } = createInput("kept");
  await call("UpdateMicrovmImage", { ...update, imageIdentifier: kept });
  await builds.idle();
  await builds.stop();
  await store.db.updateTable("images").set({ state: "DELETING" }).where("arn", "=", arn).execute();
  await store.db.updateTable("images").set({ state: "UPDATING" }).where("arn", "=", kept).execute();
  await store.db
    .updateTable("image_versions")
    .set({ state: "DELETING" })
    .where("image_arn", "=", kept)
    .where("number", "=", 1)
    .execute();
  await mkdir(paths.rootfs, { recursive: true });
  await writeFile(join(paths.rootfs, "orphan"), "");
  const restarted = new BuildQueue(queueOptions);
  await restarted.recover();
  await restarted.idle();
  await expect(call("GetMicrovmImage", { imageIdentifier: arn })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
  expect(await call("GetMicrovmImage", { imageIdentifier: kept })).toMatchObject({
    state: "UPDATED",
    latestActiveImageVersion: "2.0",
  });
  await expect(access(join(paths.rootfs, "orphan"))).rejects.toThrow("ENOENT");
  await access(join(paths.rootfs, "sha256-a"));
});

test("neither rootfs nor layers are swept while a build may be about to use them", async () => {
  const { call, builds, builder, makeImage, paths } = await useLambdaMicrovms();
  const first = await makeImage("first");
  const gate = Promise.withResolvers<void>();
  builder.next = () => gate.promise;
  const second = await call("CreateMicrovmImage", createInput("second"));
  await expect.poll(() => builder.requests.length).toBe(2);
  await call("DeleteMicrovmImage", { imageIdentifier: first });
  await expect
    .poll(() => call("GetMicrovmImage", { imageIdentifier: first }).catch(({ shape }) => shape))
    .toBe("ResourceNotFoundException");
  await access(join(paths.rootfs, "sha256-a"));
  expect(builder.kept).toBeUndefined();
  gate.resolve();
  await builds.idle();
  await access(join(paths.rootfs, "sha256-a"));
  expect(builder.kept).toEqual([second["imageArn"]]);
});

test("a build's machines get the egress of the image's connector", async () => {
  const { makeImage, builder } = await useLambdaMicrovms();
  await makeImage("free");
  await makeImage("closed", { egressNetworkConnectors: [managedConnectorArn("us-east-1", "NO_EGRESS")] });
  expect(builder.requests.map(({ egress }) => egress.kind)).toEqual(["internet", "none"]);
});
