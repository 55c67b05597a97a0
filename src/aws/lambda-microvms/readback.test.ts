import { expect, test } from "vitest";
import { BASE_ARN, createInput, imageArnOf, useLambdaMicrovms } from "../../../test/fixtures/use-lambda-microvms.ts";
import { BuildFailure } from "../../errors/build-failure.ts";
import { managedConnectorArn } from "../../model/connectors.ts";

const APP = imageArnOf("app");
const { name: _, ...UPDATE } = createInput("app");

test("a build that fails after its code was installed tells how much that was, one before tells nothing", async () => {
  const { call, makeImage, builds, builder } = await useLambdaMicrovms();
  const timedOut = "Ready hook invocation timed out after PT5M";
  builder.next = () => Promise.reject(new BuildFailure("CONTAINER_BUILD_FAILED", timedOut, { codeInstallBytes: 4096 }));
  await makeImage();
  builder.next = () => Promise.reject(new BuildFailure("ARCHIVE_INVALID", "ARCHIVE_INVALID: no zip"));
  await call("UpdateMicrovmImage", { ...UPDATE, imageIdentifier: APP });
  await builds.idle();
  const buildOf = async (imageVersion: string) => {
    const of = { imageIdentifier: APP, imageVersion };
    const [{ buildId }] = (await call("ListMicrovmImageBuilds", of)).items;
    return call("GetMicrovmImageBuild", { ...of, buildId });
  };
  expect(await buildOf("1.0")).toMatchObject({
    stateReason: timedOut,
    snapshotBuild: { codeInstallSizeInBytes: 4096 },
  });
  expect((await buildOf("2.0")).snapshotBuild).toBeUndefined();
});

test("an update builds in the image's Region, whatever Region the client is set to", async () => {
  const { call, makeImage, builds } = await useLambdaMicrovms();
  await makeImage();
  await call("UpdateMicrovmImage", { ...UPDATE, imageIdentifier: APP }, { region: "eu-west-1" });
  await builds.idle();
  expect(await call("GetMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "2.0" })).toMatchObject({
    baseImageArn: BASE_ARN,
    egressNetworkConnectors: [managedConnectorArn("us-east-1", "INTERNET_EGRESS")],
    state: "SUCCESSFUL",
  });
});

test("a token of an update whose version was deleted is forgotten", async () => {
  const { call, makeImage, builds } = await useLambdaMicrovms();
  await makeImage();
  const update = { ...UPDATE, imageIdentifier: APP, clientToken: "t" };
  await call("UpdateMicrovmImage", update);
  await builds.idle();
  expect(await call("UpdateMicrovmImage", update)).toMatchObject({ imageVersion: "2.0" });
  await call("DeleteMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "2.0" });
  await builds.idle();
  expect(await call("UpdateMicrovmImage", update)).toMatchObject({ imageVersion: "3.0" });
});

test("a token of a microVM that has ended still answers with it", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  const run = { imageIdentifier: await makeImage(), clientToken: "t" };
  const { microvmId } = await call("RunMicrovm", run);
  await call("TerminateMicrovm", { microvmIdentifier: microvmId });
  expect(await call("RunMicrovm", run)).toMatchObject({ microvmId, state: "PENDING" });
});

test("microVMs are listed oldest first, and those that start meanwhile come at the end", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  const imageIdentifier = await makeImage();
  const ids: string[] = [];
  const run = async () => ids.push((await call("RunMicrovm", { imageIdentifier })).microvmId as string);
  for (let count = 0; count < 5; count++) await run();
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await call("ListMicrovms", { maxResults: 2, nextToken });
    seen.push(...page.items.map((item: { microvmId: string }) => item.microvmId));
    if (nextToken === undefined) await run();
    nextToken = page.nextToken as string | undefined;
  } while (nextToken !== undefined);
  expect(seen.toSorted()).toEqual(ids.toSorted());
  await expect(call("ListMicrovms", { nextToken: "bm9uc2Vuc2U" })).rejects.toMatchObject({
    shape: "ValidationException",
  });
});
