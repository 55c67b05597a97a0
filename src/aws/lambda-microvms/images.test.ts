import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  BASE_ARN,
  createInput,
  imageArnOf,
  REGION,
  useLambdaMicrovms,
} from "../../../test/fixtures/use-lambda-microvms.ts";
import { BuildFailure } from "../../errors/build-failure.ts";

const APP = imageArnOf("app");
const EGRESS = `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector`;

test("an image is CREATING with version 1.0 at once, and CREATED with an ACTIVE version once built", async () => {
  const { call, builds, builder } = await useLambdaMicrovms();
  const made = await call(
    "CreateMicrovmImage",
    createInput("app", { environmentVariables: { MODE: "x" }, tags: { team: "a" } }),
  );
  expect(made).toMatchObject({
    imageArn: APP,
    name: "app",
    state: "CREATING",
    imageVersion: "1.0",
    baseImageVersion: "1.0",
    tags: { team: "a" },
    egressNetworkConnectors: [`${EGRESS}:INTERNET_EGRESS`],
    resources: [{ minimumMemoryInMiB: 2048 }],
  });
  expect(made.createdAt).toBeInstanceOf(Date);
  await builds.idle();
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({
    state: "CREATED",
    latestActiveImageVersion: "1.0",
    tags: { team: "a" },
  });
  expect(await call("GetMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1" })).toMatchObject({
    state: "SUCCESSFUL",
    status: "ACTIVE",
    environmentVariables: { MODE: "x" },
    codeArtifact: { uri: "s3://bucket/app.zip" },
  });
  expect(builder.requests[0]).toMatchObject({
    imageName: "app",
    memoryMiB: 2048,
    artifactUri: "s3://bucket/app.zip",
    allCapabilities: false,
    environment: {
      MODE: "x",
      AWS_REGION: REGION,
      AWS_LAMBDA_MICROVM_IMAGE_NAME: "app",
      AWS_LAMBDA_MICROVM_IMAGE_ARN: APP,
      AWS_LAMBDA_MICROVM_IMAGE_VERSION: "1.0",
    },
  });
});

test("a build says what it was made on and how big it is", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const list = await call("ListMicrovmImageBuilds", { imageIdentifier: APP, imageVersion: "1" });
  expect(list.items).toHaveLength(1);
  expect(list.items[0]).toMatchObject({
    imageVersion: "1.0",
    buildState: "SUCCESSFUL",
    architecture: "X86_64",
    chipset: "GENERIC",
    chipsetGeneration: "1",
  });
  const key = { imageIdentifier: APP, imageVersion: "1.0", buildId: list.items[0].buildId };
  expect((await call("GetMicrovmImageBuild", key)).snapshotBuild).toEqual({
    memorySnapshotSizeInBytes: 3,
    codeInstallSizeInBytes: 2,
    diskSnapshotSizeInBytes: 1,
  });
  await expect(call("GetMicrovmImageBuild", { ...key, buildId: "other" })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
  const filter = { imageIdentifier: APP, imageVersion: "1.0" };
  expect((await call("ListMicrovmImageBuilds", { ...filter, architecture: "ARM_64" })).items).toEqual([]);
  expect((await call("ListMicrovmImageBuilds", { ...filter, chipset: "GENERIC" })).items).toHaveLength(1);
});

test.each<[string, () => Promise<void>, string]>([
  [
    "a failure of the image",
    async () => {
      throw new BuildFailure("CONTAINER_BUILD_FAILED", "The container image build failed.");
    },
    "The container image build failed.",
  ],
  [
    "a failure of ours",
    async () => {
      throw new Error("disk on fire");
    },
    "Internal service error",
  ],
])("%s is on the build alone, and the number is used up", async (_title, next, stateReason) => {
  const { call, builds, builder } = await useLambdaMicrovms();
  builder.next = next;
  await call("CreateMicrovmImage", createInput("app"));
  await builds.idle();
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({
    state: "CREATE_FAILED",
    latestFailedImageVersion: "1.0",
  });
  const version = await call("GetMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1.0" });
  expect(version).toMatchObject({ state: "FAILED", status: "INACTIVE" });
  expect(version.stateReason).toBeUndefined();
  expect((await call("ListMicrovmImageBuilds", { imageIdentifier: APP, imageVersion: "1.0" })).items[0]).toMatchObject({
    buildState: "FAILED",
    stateReason,
  });
  await expect(
    call("UpdateMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1", status: "ACTIVE" }),
  ).rejects.toMatchObject({ shape: "ValidationException" });
  builder.next = async () => {};
  const { name: _name, ...update } = createInput("app");
  expect(await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP })).toMatchObject({
    imageVersion: "2.0",
    state: "UPDATING",
  });
  await builds.idle();
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({
    state: "UPDATED",
    latestActiveImageVersion: "2.0",
    latestFailedImageVersion: "1.0",
  });
});

test("an update replaces, and inherits nothing", async () => {
  const { call, builds, makeImage } = await useLambdaMicrovms();
  await makeImage("app", { description: "first", environmentVariables: { A: "1" }, tags: { kept: "yes" } });
  const { name: _name, ...update } = createInput("app");
  const answer = await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
  expect(answer.tags).toBeUndefined();
  expect(answer.updatedAt).toBeInstanceOf(Date);
  await builds.idle();
  const versions = (await call("ListMicrovmImageVersions", { imageIdentifier: APP })).items;
  expect(versions.map((version: { imageVersion: string }) => version.imageVersion)).toEqual(["2.0", "1.0"]);
  expect(versions[0].description).toBeUndefined();
  expect(versions[0].environmentVariables).toBeUndefined();
  expect(versions[0].tags).toEqual({ kept: "yes" });
});

const hooks = (microvmHooks: object, microvmImageHooks: object, port?: number) => ({
  hooks: { port, microvmHooks, microvmImageHooks },
});

test.each<[object, string]>([
  [{ baseImageArn: "al2023-1" }, "Invalid ARN format: al2023-1"],
  [{ baseImageVersion: "999" }, `No managed MicroVM Image with arn ${BASE_ARN} and version 999 is available`],
  [{ baseImageArn: imageArnOf("mine") }, `No managed MicroVM Image with arn ${imageArnOf("mine")} is available`],
  [
    { codeArtifact: { uri: "123456789012.dkr.ecr.us-east-1/app" } },
    "CodeArtifact URI must be a valid S3 URI in the format: s3://<bucket>/<key>",
  ],
  [
    { codeArtifact: { uri: "s3://bucket" } },
    "CodeArtifact URI must be a valid S3 URI in the format: s3://<bucket>/<key>",
  ],
  [
    { resources: [{ minimumMemoryInMiB: 1000 }] },
    `The requested memory size of 1000 MiB is not supported by base MicroVM image ${BASE_ARN}. Supported memory sizes in MiB are: [512, 1024, 2048, 4096, 8192].`,
  ],
  [{ environmentVariables: { AWS_REGION: "x" } }, "Environment variable key 'AWS_REGION' is reserved"],
  [
    { environmentVariables: { AWS_LAMBDA_MICROVM_IMAGE_NAME: "x" } },
    "Environment variable key 'AWS_LAMBDA_MICROVM_IMAGE_NAME' is reserved",
  ],
  [{ environmentVariables: { "A=B": "x" } }, "Environment variable key 'A=B' must not contain '=' or a null character"],
  [
    hooks({ run: "ENABLED" }, {}, 9000),
    "The ready (/ready) MicroVM image hook must be enabled when any MicroVM lifecycle hook",
  ],
  [hooks({}, {}, 9000), "At least one hook must be enabled"],
  [hooks({}, { ready: "ENABLED" }), "A hooks port must be provided"],
  [{ egressNetworkConnectors: ["INTERNET_EGRESS"] }, "Malformed network connector ARN"],
  [{ egressNetworkConnectors: [`${EGRESS}:OTHER`] }, `Unrecognized managed network connector ARN: ${EGRESS}:OTHER`],
  [{ egressNetworkConnectors: [`${EGRESS}:HTTP_INGRESS`] }, "cannot be used as egress network connector"],
  [{ tags: { "aws:x": "1" } }, "Tag key aws:x begins with aws:, which is reserved"],
])("a create with %j is refused: %s", async (change, message) => {
  const { call } = await useLambdaMicrovms();
  await expect(call("CreateMicrovmImage", createInput("app", change))).rejects.toMatchObject({
    shape: "ValidationException",
    message: expect.stringContaining(message),
  });
});

test("hooks are stored, read back and handed to the builder", async () => {
  const { call, makeImage, builder } = await useLambdaMicrovms();
  const given = {
    port: 9000,
    microvmHooks: { run: "ENABLED" },
    microvmImageHooks: { ready: "ENABLED", readyTimeoutInSeconds: 60 },
  };
  await makeImage("app", { hooks: given, additionalOsCapabilities: ["ALL"] });
  expect((await call("GetMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1.0" })).hooks).toEqual(given);
  expect(builder.requests[0]).toMatchObject({ hooks: { port: 9000, run: 1, ready: 60 }, allCapabilities: true });
});

test("base versions are taken in both spellings", async () => {
  const { call } = await useLambdaMicrovms();
  expect((await call("CreateMicrovmImage", createInput("a", { baseImageVersion: "0" }))).baseImageVersion).toBe("0.0");
  expect((await call("CreateMicrovmImage", createInput("b", { baseImageVersion: "1.0" }))).baseImageVersion).toBe(
    "1.0",
  );
});

test.each([
  "GetMicrovmImage",
  "DeleteMicrovmImage",
  "ListMicrovmImageVersions",
  "GetMicrovmImageVersion",
  "DeleteMicrovmImageVersion",
  "UpdateMicrovmImageVersion",
  "ListMicrovmImageBuilds",
])("%s takes ARNs only and knows the caller's images only", async (operation) => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const rest = { imageVersion: "1.0", status: "ACTIVE" };
  await expect(call(operation, { imageIdentifier: "app", ...rest })).rejects.toMatchObject({
    shape: "ValidationException",
    message: "Invalid ARN format: app",
  });
  const gone = {
    shape: "ResourceNotFoundException",
    message: expect.stringContaining("MicroVMImage not found for MicroVMImageID: arn:"),
  };
  await expect(call(operation, { imageIdentifier: imageArnOf("none"), ...rest })).rejects.toMatchObject(gone);
  await expect(call(operation, { imageIdentifier: APP, ...rest }, { accountId: "999999999999" })).rejects.toMatchObject(
    gone,
  );
});

test("a name is taken until its deletion ended, and free then", async () => {
  const { call, builds, makeImage, paths } = await useLambdaMicrovms();
  await makeImage();
  const again = createInput("app");
  await expect(call("CreateMicrovmImage", again)).rejects.toMatchObject({
    shape: "ValidationException",
    message: expect.stringContaining("A MicroVM image with the name 'app' already exists in this account"),
  });
  expect(await call("DeleteMicrovmImage", { imageIdentifier: APP })).toEqual({
    imageIdentifier: APP,
    state: "DELETING",
  });
  await builds.idle();
  await expect(call("GetMicrovmImage", { imageIdentifier: APP })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
  expect(await readdir(paths.images)).toEqual([]);
  expect(await readdir(paths.rootfs)).toEqual([]);
  expect((await call("CreateMicrovmImage", again)).imageVersion).toBe("1.0");
});

test("a rootfs shared by two images goes with the last of them", async () => {
  const { call, builds, makeImage, paths } = await useLambdaMicrovms();
  const [first, second] = [await makeImage("one"), await makeImage("two")];
  await call("DeleteMicrovmImage", { imageIdentifier: first });
  await builds.idle();
  await access(join(paths.rootfs, "sha256-a"));
  await call("DeleteMicrovmImage", { imageIdentifier: second });
  await builds.idle();
  expect(await readdir(paths.rootfs)).toEqual([]);
});

test("an image being built refuses writes in the service's words", async () => {
  const { call, builder } = await useLambdaMicrovms();
  const gate = Promise.withResolvers<void>();
  builder.next = () => gate.promise;
  await call("CreateMicrovmImage", createInput("app"));
  const { name: _name, ...update } = createInput("app");
  const conflict = { shape: "ConflictException", message: "MicroVM Image is already in state: CREATING" };
  await expect(call("UpdateMicrovmImage", { ...update, imageIdentifier: APP })).rejects.toMatchObject(conflict);
  await expect(
    call("UpdateMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1", status: "INACTIVE" }),
  ).rejects.toMatchObject(conflict);
  await expect(call("DeleteMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1" })).rejects.toMatchObject(
    conflict,
  );
  await expect(call("DeleteMicrovmImage", { imageIdentifier: APP })).rejects.toMatchObject({
    shape: "ValidationException",
    message: `Cannot delete MicroVM image in its current state: ${APP}`,
  });
  gate.resolve();
});

test("a version is deleted in the background, but never the last one", async () => {
  const { call, builds, makeImage } = await useLambdaMicrovms();
  await makeImage();
  await expect(call("DeleteMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1.0" })).rejects.toMatchObject({
    shape: "ValidationException",
    message: "This is the last version. Please delete the entire image",
  });
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "CREATED" });
  const { name: _name, ...update } = createInput("app");
  await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
  await builds.idle();
  expect(await call("DeleteMicrovmImageVersion", { imageIdentifier: APP, imageVersion: "1" })).toEqual({
    imageIdentifier: APP,
    imageVersion: "1.0",
    state: "DELETING",
  });
  await builds.idle();
  expect((await call("ListMicrovmImageVersions", { imageIdentifier: APP })).items).toHaveLength(1);
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "UPDATED" });
});

test("a create with the same token answers the same, and other parameters conflict", async () => {
  const { call, builds, builder } = await useLambdaMicrovms();
  const input = createInput("app", { clientToken: "t" });
  const first = await call("CreateMicrovmImage", input);
  await builds.idle();
  expect(await call("CreateMicrovmImage", input)).toEqual(first);
  expect(builder.requests).toHaveLength(1);
  await expect(call("CreateMicrovmImage", { ...input, description: "other" })).rejects.toMatchObject({
    shape: "ConflictException",
  });
});

test("a token of a deleted image is forgotten", async () => {
  const { call, builds, builder } = await useLambdaMicrovms();
  const input = createInput("app", { clientToken: "t" });
  await call("CreateMicrovmImage", input);
  await builds.idle();
  await call("DeleteMicrovmImage", { imageIdentifier: APP });
  await builds.idle();
  await call("CreateMicrovmImage", input);
  await builds.idle();
  expect(builder.requests).toHaveLength(2);
  expect(await call("GetMicrovmImage", { imageIdentifier: APP })).toMatchObject({ state: "CREATED" });
});

test("a token is forgotten after a day", async () => {
  const { call, builds, makeImage, advance } = await useLambdaMicrovms();
  await makeImage();
  const { name: _name, ...update } = createInput("app", { clientToken: "t" });
  for (const expected of ["2.0", "2.0", "3.0"]) {
    expect((await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP })).imageVersion).toBe(expected);
    await builds.idle();
    if (expected === "2.0") advance(12.5 * 3_600_000);
  }
});
