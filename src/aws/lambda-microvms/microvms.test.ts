import { expect, test } from "vitest";
import * as schemas from "@aws-sdk/client-lambda-microvms";
import {
  createInput,
  imageArnOf,
  REGION,
  ROLE_ARN,
  useLambdaMicrovms,
} from "../../../test/fixtures/use-lambda-microvms.ts";
import { CONSTRAINTS } from "../../model/constraints.ts";
import { operationNames } from "../operation-names.ts";

const APP = imageArnOf("app");
const connector = (name: string, region = REGION) =>
  `arn:aws:lambda:${region}:aws:network-connector:aws-network-connector:${name}`;
const HOOKS = { port: 9000, microvmHooks: { run: "ENABLED" }, microvmImageHooks: { ready: "ENABLED" } };

test("every operation of the SDK has a handler and a constraint entry", async () => {
  const { service } = await useLambdaMicrovms();
  const names = operationNames(schemas);
  expect(names).toHaveLength(24);
  expect(Object.keys(service.operations).toSorted()).toEqual(names.toSorted());
  expect(Object.keys(CONSTRAINTS).toSorted()).toEqual(names);
});

test("a run may be longer than the service's where that is allowed, and not beyond it", async () => {
  const day = 86_400;
  for (const maximumDurationSeconds of [day, undefined]) {
    const { call, makeImage } = await useLambdaMicrovms({ ...(maximumDurationSeconds && { maximumDurationSeconds }) });
    await makeImage();
    const longest = maximumDurationSeconds ?? 28_800;
    const run = (maximumDurationInSeconds?: number) =>
      call("RunMicrovm", { imageIdentifier: APP, maximumDurationInSeconds });
    expect(await run(longest)).toMatchObject({ maximumDurationInSeconds: longest });
    expect(await run()).toMatchObject({ maximumDurationInSeconds: 28_800 });
    await expect(run(longest + 1)).rejects.toThrow(`less than or equal to ${longest}`);
  }
});

test("a run answers PENDING with the service's defaults, members in its order", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const output = await call("RunMicrovm", { imageIdentifier: APP, executionRoleArn: ROLE_ARN });
  expect(output).toMatchObject({
    state: "PENDING",
    imageArn: APP,
    imageVersion: "1.0",
    maximumDurationInSeconds: 28_800,
    ingressNetworkConnectors: [connector("HTTP_INGRESS")],
    egressNetworkConnectors: [connector("INTERNET_EGRESS")],
  });
  expect(Object.keys(output)).toEqual([
    "microvmId",
    "state",
    "endpoint",
    "imageArn",
    "imageVersion",
    "executionRoleArn",
    "maximumDurationInSeconds",
    "startedAt",
    "ingressNetworkConnectors",
    "egressNetworkConnectors",
  ]);
  expect(await call("GetMicrovm", { microvmIdentifier: output.microvmId })).toEqual(output);
});

test("a run takes the image's egress connector unless it names one; empty lists count as omitted", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage("app", { egressNetworkConnectors: [connector("NO_EGRESS")] });
  const egress = async (given?: string[]) =>
    (await call("RunMicrovm", { imageIdentifier: APP, egressNetworkConnectors: given, ingressNetworkConnectors: [] }))
      .egressNetworkConnectors;
  expect(await egress()).toEqual([connector("NO_EGRESS")]);
  expect(await egress([])).toEqual([connector("NO_EGRESS")]);
  expect(await egress([connector("INTERNET_EGRESS")])).toEqual([connector("INTERNET_EGRESS")]);
});

test.each<[object, string, string]>([
  [{ imageIdentifier: "app" }, "ValidationException", "Malformed ARN - doesn't start with 'arn:'"],
  [
    { imageIdentifier: "app", runHookPayload: "x".repeat(4097) },
    "ValidationException",
    "Member must have length less than or equal to 4096",
  ],
  [{ imageIdentifier: "arn:aws:lambda" }, "ValidationException", "Invalid ARN format: arn:aws:lambda"],
  [{ ingressNetworkConnectors: ["ALL_INGRESS"] }, "ValidationException", "Malformed network connector ARN"],
  [
    { imageIdentifier: imageArnOf("none"), ingressNetworkConnectors: ["ALL_INGRESS"] },
    "ValidationException",
    "Malformed network connector ARN",
  ],
  [
    { ingressNetworkConnectors: [connector("ALL_INGRESS", "eu-west-1")] },
    "ValidationException",
    "Unrecognized managed network connector ARN",
  ],
  [
    { ingressNetworkConnectors: [connector("PUBLIC_INGRESS_80", "eu-west-1")] },
    "ValidationException",
    "Unrecognized managed network connector ARN",
  ],
  [
    { ingressNetworkConnectors: [connector("PUBLIC_INGRESS_99999")] },
    "ValidationException",
    "Unrecognized managed network connector ARN",
  ],
  [
    { egressNetworkConnectors: [connector("PUBLIC_INGRESS_80")] },
    "ValidationException",
    "cannot be used as egress network connector",
  ],
  [
    { ingressNetworkConnectors: [connector("NO_INGRESS"), connector("PUBLIC_INGRESS_80")] },
    "ValidationException",
    "NO_INGRESS cannot be combined",
  ],
  [
    { ingressNetworkConnectors: [connector("NO_INGRESS"), connector("HTTP_INGRESS")] },
    "ValidationException",
    "NO_INGRESS cannot be combined",
  ],
  [
    { egressNetworkConnectors: [connector("INTERNET_EGRESS"), connector("NO_EGRESS")] },
    "ValidationException",
    "Only one egress network connector can be provided",
  ],
  [
    { egressNetworkConnectors: [`arn:aws:lambda:${REGION}:123456789012:network-connector:nc-1`] },
    "ResourceNotFoundException",
    "Network connector not found",
  ],
  [
    { logging: { cloudWatch: { logGroup: "g" } } },
    "ValidationException",
    "Logging cannot be enabled without providing executionRoleArn",
  ],
  [
    { runHookPayload: "x" },
    "ValidationException",
    "The run hook must be enabled in the MicroVM image to pass the run hook payload.",
  ],
  [
    { imageIdentifier: imageArnOf("none") },
    "ResourceNotFoundException",
    `No active version found for MicroVM image ${imageArnOf("none")}`,
  ],
  [
    { imageVersion: "2.0" },
    "ResourceNotFoundException",
    `No active version found for MicroVM image ${APP} and version 2.0`,
  ],
  [
    { imageVersion: "latest" },
    "ResourceNotFoundException",
    `No active version found for MicroVM image ${APP} and version latest`,
  ],
])("a run with %j is refused as %s: %s", async (change, shape, message) => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  await expect(call("RunMicrovm", { imageIdentifier: APP, ...change })).rejects.toMatchObject({
    shape,
    message: expect.stringContaining(message),
  });
});

test("a payload is taken when the image's run hook is enabled", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage("app", { hooks: HOOKS });
  expect(await call("RunMicrovm", { imageIdentifier: APP, runHookPayload: "x" })).toMatchObject({ state: "PENDING" });
});

test("the newest ACTIVE version runs, also while a newer one is built or failed", async () => {
  const { call, makeImage, builds, builder } = await useLambdaMicrovms();
  await makeImage();
  const { name: _name, ...update } = createInput("app");
  await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
  await builds.idle();
  const version = async () => (await call("RunMicrovm", { imageIdentifier: APP })).imageVersion;
  expect(await version()).toBe("2.0");
  await call("UpdateMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "2.0", status: "INACTIVE" });
  expect(await version()).toBe("1.0");
  await expect(call("RunMicrovm", { imageIdentifier: APP, imageVersion: "2" })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
  const gate = Promise.withResolvers<void>();
  builder.next = async () => {
    await gate.promise;
    throw new Error("no");
  };
  await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
  expect(await version()).toBe("1.0");
  gate.resolve();
  await builds.idle();
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "UPDATE_FAILED" });
  expect(await version()).toBe("1.0");
});

test("two runs at once with one token are one microVM, and a changed request conflicts", async () => {
  const { call, makeImage, microvms } = await useLambdaMicrovms();
  await makeImage();
  const input = { imageIdentifier: APP, clientToken: "t" };
  const answers = await Promise.all([1, 2, 3].map(() => call("RunMicrovm", input)));
  expect(new Set(answers.map((answer) => answer.microvmId)).size).toBe(1);
  await microvms.terminate(answers[0].microvmId);
  expect(await call("RunMicrovm", input)).toEqual(answers[0]);
  await expect(call("RunMicrovm", { ...input, maximumDurationInSeconds: 60 })).rejects.toMatchObject({
    shape: "ConflictException",
  });
  expect((await call("RunMicrovm", { imageIdentifier: APP, clientToken: "u" })).microvmId).not.toBe(
    answers[0].microvmId,
  );
});

test("a failed run leaves its token unused", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  const input = { imageIdentifier: APP, clientToken: "t" };
  await expect(call("RunMicrovm", input)).rejects.toMatchObject({ shape: "ResourceNotFoundException" });
  await makeImage();
  expect(await call("RunMicrovm", input)).toMatchObject({ state: "PENDING" });
});

test("images and versions with live microVMs are not deleted", async () => {
  const { call, makeImage, builds, microvms } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: APP });
  const { name: _name, ...update } = createInput("app");
  await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
  await builds.idle();
  await expect(call("DeleteMicrovmImage", { imageIdentifier: APP })).rejects.toMatchObject({
    shape: "ConflictException",
    message: "Cannot delete MicroVM image with running MicroVMs",
  });
  await expect(call("DeleteMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1.0" })).rejects.toMatchObject({
    shape: "ConflictException",
  });
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "UPDATED" });
  await microvms.terminate(microvmId);
  expect(await call("DeleteMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "DELETING" });
  await builds.idle();
  expect(await call("GetMicrovm", { microvmIdentifier: microvmId })).toMatchObject({ state: "TERMINATED" });
});

test("a run that overlaps a deletion ends in one of the two, never in a microVM without files", async () => {
  const { call, makeImage, builds } = await useLambdaMicrovms();
  for (const name of ["a", "b", "c", "d"]) {
    const imageIdentifier = await makeImage(name);
    const [run, removal] = await Promise.allSettled([
      call("RunMicrovm", { imageIdentifier }),
      call("DeleteMicrovmImage", { imageIdentifier }),
    ]);
    expect([run.status, removal.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    await builds.idle();
  }
});

test("suspend and resume are refused in the wrong state only, terminate never", async () => {
  const { call, makeImage, microvms } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: APP });
  const key = { microvmIdentifier: microvmId };
  await expect(call("SuspendMicrovm", key)).rejects.toMatchObject({
    shape: "ConflictException",
    message: expect.stringContaining("PENDING"),
  });
  await microvms.setState(microvmId, "RUNNING");
  for (const operation of [
    "ResumeMicrovm",
    "SuspendMicrovm",
    "SuspendMicrovm",
    "ResumeMicrovm",
    "TerminateMicrovm",
    "TerminateMicrovm",
  ]) {
    expect(await call(operation, key)).toEqual({});
  }
  await expect(call("ResumeMicrovm", key)).rejects.toMatchObject({ shape: "ConflictException" });
});

test.each([
  "GetMicrovm",
  "SuspendMicrovm",
  "ResumeMicrovm",
  "TerminateMicrovm",
  "CreateMicrovmAuthToken",
  "CreateMicrovmShellAuthToken",
])("%s knows the caller's microVMs only", async (operation) => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: APP });
  const rest = { expirationInMinutes: 5, allowedPorts: [{ port: 80 }] };
  const gone = { shape: "ResourceNotFoundException" };
  await expect(call(operation, { microvmIdentifier: "microvm-0", ...rest })).rejects.toMatchObject({
    ...gone,
    message: "Unable to find microvmIdentifier microvm-0",
  });
  await expect(
    call(operation, { microvmIdentifier: microvmId, ...rest }, { accountId: "999999999999" }),
  ).rejects.toMatchObject(gone);
});

test("microVMs are listed by pages, filtered after", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  const [app, other] = [await makeImage("app"), await makeImage("other")];
  for (const imageIdentifier of [app, other, app]) await call("RunMicrovm", { imageIdentifier });
  const page = await call("ListMicrovms", { maxResults: 2 });
  expect(page.items).toHaveLength(2);
  expect(Object.keys(page.items[0])).toEqual(["microvmId", "state", "imageArn", "imageVersion", "startedAt"]);
  const rest = await call("ListMicrovms", { maxResults: 2, nextToken: page.nextToken });
  expect(rest.items).toHaveLength(1);
  expect(rest.nextToken).toBeUndefined();
  expect((await call("ListMicrovms", { imageIdentifier: app, imageVersion: "1" })).items).toHaveLength(2);
  expect((await call("ListMicrovms", { imageIdentifier: other, imageVersion: "2.0" })).items).toEqual([]);
  await expect(call("ListMicrovms", { imageIdentifier: "app" })).rejects.toMatchObject({
    message: "Invalid ARN format: app",
  });
});

test("a token is made for any microVM that is not gone, with what was asked for in it", async () => {
  const { call, makeImage, microvms } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: APP });
  const allowedPorts = [{ port: 8080 }, { range: { startPort: 1, endPort: 9 } }, { allPorts: {} }];
  const ask = (change: object = {}) =>
    call("CreateMicrovmAuthToken", { microvmIdentifier: microvmId, expirationInMinutes: 60, allowedPorts, ...change });
  for (const state of ["PENDING", "RUNNING", "SUSPENDED"] as const) {
    await microvms.setState(microvmId, state);
    const { authToken } = await ask();
    expect(Object.keys(authToken)).toEqual(["X-aws-proxy-auth"]);
    expect(JSON.parse(authToken["X-aws-proxy-auth"])).toMatchObject({ microvmId, kind: "http", ports: allowedPorts });
  }
  await expect(ask({ expirationInMinutes: 61 })).rejects.toMatchObject({
    shape: "ValidationException",
    message: "ExpirationMinutes 61 exceeded max allowed of 60.",
  });
  await expect(ask({ expirationInMinutes: 0 })).rejects.toMatchObject({
    message: expect.stringContaining("Member must have value greater than or equal to 1"),
  });
  await expect(ask({ allowedPorts: [{ range: { startPort: 9, endPort: 1 } }] })).rejects.toMatchObject({
    shape: "ValidationException",
  });
  await microvms.terminate(microvmId);
  await expect(ask()).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
    message: `Unable to find microvmIdentifier ${microvmId}`,
  });
});

test.each<[string[], string]>([
  [["HTTP_INGRESS"], "Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM."],
  [
    ["SHELL_INGRESS", "ALL_INGRESS"],
    "ALL_INGRESS cannot be combined with other ingress network connectors; use HTTP_INGRESS and/or SHELL_INGRESS instead",
  ],
])("a shell token for %j is refused: %s", async (names, message) => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId } = await call("RunMicrovm", {
    imageIdentifier: APP,
    ingressNetworkConnectors: names.map((name) => connector(name)),
  });
  await expect(
    call("CreateMicrovmShellAuthToken", { microvmIdentifier: microvmId, expirationInMinutes: 15 }),
  ).rejects.toMatchObject({
    shape: "ValidationException",
    message: expect.stringContaining(message),
  });
});

test("a shell token is for a shell of one microVM, for at most an hour", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const ingressNetworkConnectors = [connector("SHELL_INGRESS"), connector("HTTP_INGRESS")];
  const { microvmId } = await call("RunMicrovm", { imageIdentifier: APP, ingressNetworkConnectors });
  const ask = (expirationInMinutes: number) =>
    call("CreateMicrovmShellAuthToken", { microvmIdentifier: microvmId, expirationInMinutes });
  const { authToken } = await ask(60);
  expect(Object.keys(authToken)).toEqual(["X-aws-proxy-auth"]);
  expect(JSON.parse(authToken["X-aws-proxy-auth"])).toMatchObject({ microvmId, kind: "shell", ports: [] });
  await expect(ask(61)).rejects.toMatchObject({ message: "ExpirationMinutes 61 exceeded max allowed of 60." });
});

test("a microVM is found by a client that is set to another Region, and lives in its image's Region", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const { microvmId, ingressNetworkConnectors } = await call(
    "RunMicrovm",
    { imageIdentifier: APP },
    { region: "eu-west-1" },
  );
  expect(ingressNetworkConnectors[0]).toContain(":us-east-1:");
  expect(await call("GetMicrovm", { microvmIdentifier: microvmId }, { region: "ap-northeast-1" })).toMatchObject({
    microvmId,
  });
});
