import * as microvms from "@aws-sdk/client-lambda-microvms";
import { expect, onTestFinished, test } from "vitest";
import { CONTEXT, createInput, useLambdaMicrovms } from "../../../test/fixtures/use-lambda-microvms.ts";
import { TEST_KEY, useApiEndpoint } from "../../../test/support/api-endpoint.ts";
import { AppError } from "../../errors/app-error.ts";
import { managedConnectorArn } from "../../model/connectors.ts";

const exceeded = (quotaCode: string, message: RegExp | string) => ({
  shape: "ServiceQuotaExceededException",
  message: typeof message === "string" ? message : expect.stringMatching(message),
  members: expect.objectContaining({ serviceCode: "lambda", quotaCode }),
});

test("without quotas nothing is throttled", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  const imageIdentifier = await makeImage();
  const { microvmId } = await call("RunMicrovm", { imageIdentifier });
  const calls = Array.from({ length: 200 }, () => call("GetMicrovm", { microvmIdentifier: microvmId }));
  expect(await Promise.all(calls)).toHaveLength(200);
});

test("images are limited by account and Region, and a deleted one makes room", async () => {
  const { call, makeImage, builds } = await useLambdaMicrovms({ quotas: { images: 1 } });
  const first = await makeImage("one");
  await expect(call("CreateMicrovmImage", createInput("two"))).rejects.toMatchObject(
    exceeded("L-942E56BE", /maximum number of MicroVM images \(1\)/),
  );
  await call("DeleteMicrovmImage", { imageIdentifier: first });
  await builds.idle();
  await makeImage("two");
});

test("versions of an image are limited, failed ones too, and the refused update leaves the image as it was", async () => {
  const { call, makeImage, builds, builder } = await useLambdaMicrovms({ quotas: { versionsPerImage: 2 } });
  const imageIdentifier = await makeImage();
  const { name: _, ...settings } = createInput("app");
  builder.next = () => Promise.reject(new Error("a bad build"));
  await call("UpdateMicrovmImage", { ...settings, imageIdentifier });
  await builds.idle();
  await expect(call("UpdateMicrovmImage", { ...settings, imageIdentifier })).rejects.toMatchObject(
    exceeded("L-F8BECE9C", /maximum number of versions \(2\)/),
  );
  expect(await call("GetMicrovmImage", { imageIdentifier })).toMatchObject({ state: "UPDATE_FAILED" });
});

test("builds at once are limited", async () => {
  const { call, builds, builder } = await useLambdaMicrovms({ quotas: { concurrentBuilds: 2 } });
  const gate = Promise.withResolvers<void>();
  builder.next = () => gate.promise;
  await call("CreateMicrovmImage", createInput("one"));
  await call("CreateMicrovmImage", createInput("two"));
  await expect(call("CreateMicrovmImage", createInput("three"))).rejects.toMatchObject(
    exceeded("L-72E0D058", /maximum number of concurrent builds/),
  );
  gate.resolve();
  await builds.idle();
  await call("CreateMicrovmImage", createInput("three"));
});

test("memory of all live microVMs is limited by the size of their image, and a refused run leaves nothing", async () => {
  const { call, makeImage, microvms: lives } = await useLambdaMicrovms({ quotas: { memoryGB: 3 } });
  const big = await makeImage("big");
  const small = await makeImage("small", { resources: [{ minimumMemoryInMiB: 512 }] });
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: big });
  await call("RunMicrovm", { imageIdentifier: small });
  await call("RunMicrovm", { imageIdentifier: small });
  const refused = exceeded("L-CD1C0CC4", "The base maximum allocated memory limit has been reached for this account.");
  await expect(call("RunMicrovm", { imageIdentifier: small, clientToken: "t" })).rejects.toMatchObject(refused);
  expect((await call("ListMicrovms")).items).toHaveLength(3);
  await lives.setState(microvmId, "SUSPENDED");
  await expect(call("RunMicrovm", { imageIdentifier: small, clientToken: "t" })).rejects.toMatchObject(refused);
  await call("TerminateMicrovm", { microvmIdentifier: microvmId });
  await call("RunMicrovm", { imageIdentifier: small, clientToken: "t" });
});

test("runs at once do not pass a memory quota together", async () => {
  const { call, makeImage } = await useLambdaMicrovms({ quotas: { memoryGB: 4 } });
  const imageIdentifier = await makeImage();
  const runs = await Promise.allSettled(Array.from({ length: 6 }, () => call("RunMicrovm", { imageIdentifier })));
  expect(runs.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
});

test("the SDK sees 402 with the quota's codes, and 429 with the seconds to wait", async () => {
  const rates = { GetMicrovm: { perSecond: 0.25, burst: 1 } };
  const { service, makeImage } = await useLambdaMicrovms({ quotas: { memoryGB: 0, rates } });
  const imageIdentifier = await makeImage();
  const { url } = await useApiEndpoint([service]);
  const client = new microvms.LambdaMicrovmsClient({
    endpoint: url,
    region: CONTEXT.region,
    credentials: TEST_KEY,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  const egressNetworkConnectors = [managedConnectorArn(CONTEXT.region, "INTERNET_EGRESS")];
  await expect(
    client.send(new microvms.RunMicrovmCommand({ imageIdentifier, egressNetworkConnectors })),
  ).rejects.toMatchObject({
    name: "ServiceQuotaExceededException",
    serviceCode: "lambda",
    quotaCode: "L-CD1C0CC4",
    $metadata: { httpStatusCode: 402 },
  });
  const get = () => client.send(new microvms.GetMicrovmCommand({ microvmIdentifier: "microvm-none" }));
  await expect(get()).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  await expect(get()).rejects.toMatchObject({
    name: "ThrottlingException",
    message: "Rate exceeded",
    serviceCode: "lambda",
    retryAfterSeconds: expect.any(Number),
    $metadata: { httpStatusCode: 429 },
    $response: { headers: { "retry-after": expect.stringMatching(/^[1-4]$/) } },
  });
});

test("a full host is told in the service's words over the wire, and nothing is remembered of the call", async () => {
  const { service, makeImage, microvms: lives, store } = await useLambdaMicrovms();
  const imageIdentifier = await makeImage();
  const { run } = lives;
  lives.run = () => Promise.reject(new AppError("ERR_HOST_FULL", { message: "The host has no memory" }));
  const { url } = await useApiEndpoint([service]);
  const client = new microvms.LambdaMicrovmsClient({
    endpoint: url,
    region: "us-east-1",
    credentials: TEST_KEY,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  const input = { imageIdentifier, clientToken: "once" };
  await expect(client.send(new microvms.RunMicrovmCommand(input))).rejects.toMatchObject({
    name: "InsufficientCapacityException",
    message: "The host has no memory",
    $metadata: { httpStatusCode: 500 },
  });
  expect(await store.db.selectFrom("microvms").selectAll().execute()).toEqual([]);
  lives.run = run;
  await expect(client.send(new microvms.RunMicrovmCommand(input))).resolves.toMatchObject({ state: "PENDING" });
});
