import type { AddressInfo } from "node:net";
import {
  CreateRoleCommand,
  DeleteRoleCommand,
  GetRoleCommand,
  IAMClient,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import * as microvms from "@aws-sdk/client-lambda-microvms";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { expect, onTestFinished, test } from "vitest";
import { createCallerAuthorizer } from "../../src/auth/caller-authorizer.ts";
import { createRoleSessions } from "../../src/auth/role-sessions.ts";
import { createApiServer } from "../../src/aws/api-server.ts";
import { createIamService } from "../../src/aws/iam/iam-service.ts";
import { createStsService } from "../../src/aws/sts/sts-service.ts";
import {
  ACCOUNT,
  BASE_ARN,
  CONTEXT,
  createInput,
  imageArnOf,
  REGION,
  ROLE_ARN,
  SILENT_LOG,
  useLambdaMicrovms,
} from "../fixtures/use-lambda-microvms.ts";

const SECRET = "secret/secret/secret/secret/secret/secret";
const APP = imageArnOf("app");

/** The real SDK clients against a live server with all services of the control plane. */
async function useClients() {
  const { service, store, builds, microvms: lives } = await useLambdaMicrovms();
  const server = createApiServer({
    services: [
      service,
      createIamService({ store }),
      createStsService({
        store,
        sessions: createRoleSessions({ store }),
        authorizer: createCallerAuthorizer({ store }),
      }),
    ],
    credentials: {
      lookup: async (id: string) =>
        id === CONTEXT.principal.accessKeyId ? { secretAccessKey: SECRET, principal: CONTEXT.principal } : undefined,
    },
    baseDomains: ["localhost"],
    log: SILENT_LOG,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const settings = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: REGION,
    credentials: { accessKeyId: CONTEXT.principal.accessKeyId, secretAccessKey: SECRET },
    maxAttempts: 1,
  };
  return {
    client: new microvms.LambdaMicrovmsClient(settings),
    iam: new IAMClient(settings),
    sts: new STSClient(settings),
    builds,
    lives,
  };
}

test("an image lives from create to delete through the SDK", async () => {
  const { client, builds } = await useClients();
  const input = createInput("app", {
    environmentVariables: { MODE: "ü" },
    tags: { team: "a b" },
  }) as microvms.CreateMicrovmImageCommandInput;
  const made = await client.send(new microvms.CreateMicrovmImageCommand(input));
  expect(made).toMatchObject({
    imageArn: APP,
    state: "CREATING",
    imageVersion: "1.0",
    $metadata: { httpStatusCode: 201 },
  });
  expect(made.createdAt).toBeInstanceOf(Date);
  await builds.idle();
  expect(await client.send(new microvms.GetMicrovmImageCommand({ imageIdentifier: APP }))).toMatchObject({
    state: "CREATED",
    latestActiveImageVersion: "1.0",
    tags: { team: "a b" },
  });
  const version = { imageIdentifier: APP, imageVersion: "1.0" };
  expect(await client.send(new microvms.GetMicrovmImageVersionCommand(version))).toMatchObject({
    environmentVariables: { MODE: "ü" },
    codeArtifact: { uri: "s3://bucket/app.zip" },
    status: "ACTIVE",
    resources: [{ minimumMemoryInMiB: 2048 }],
  });
  const { items = [] } = await client.send(new microvms.ListMicrovmImageBuildsCommand(version));
  const build = await client.send(new microvms.GetMicrovmImageBuildCommand({ ...version, buildId: items[0]?.buildId }));
  expect(build.snapshotBuild).toEqual({
    memorySnapshotSizeInBytes: 3,
    codeInstallSizeInBytes: 2,
    diskSnapshotSizeInBytes: 1,
  });
  expect(
    await client.send(new microvms.UpdateMicrovmImageVersionCommand({ ...version, status: "INACTIVE" })),
  ).toMatchObject({ status: "INACTIVE" });
  const { name: _name, ...update } = input;
  expect(await client.send(new microvms.UpdateMicrovmImageCommand({ ...update, imageIdentifier: APP }))).toMatchObject({
    imageVersion: "2.0",
    state: "UPDATING",
  });
  await builds.idle();
  expect(await client.send(new microvms.DeleteMicrovmImageVersionCommand(version))).toMatchObject({
    state: "DELETING",
    imageVersion: "1.0",
  });
  await builds.idle();
  expect(await client.send(new microvms.DeleteMicrovmImageCommand({ imageIdentifier: APP }))).toMatchObject({
    imageIdentifier: APP,
    state: "DELETING",
  });
  await builds.idle();
  await expect(client.send(new microvms.GetMicrovmImageCommand({ imageIdentifier: APP }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    resourceId: APP,
    $metadata: { httpStatusCode: 404 },
  });
});

test("a microVM is run, found, moved and ended through the SDK", async () => {
  const { client, builds, lives } = await useClients();
  await client.send(
    new microvms.CreateMicrovmImageCommand(createInput("app") as microvms.CreateMicrovmImageCommandInput),
  );
  await builds.idle();
  const idlePolicy = { maxIdleDurationSeconds: 900, suspendedDurationSeconds: 300, autoResumeEnabled: true };
  const run = await client.send(
    new microvms.RunMicrovmCommand({ imageIdentifier: APP, idlePolicy, executionRoleArn: ROLE_ARN }),
  );
  expect(run).toMatchObject({ state: "PENDING", imageVersion: "1.0", idlePolicy, maximumDurationInSeconds: 28_800 });
  expect(run.startedAt).toBeInstanceOf(Date);
  const key = { microvmIdentifier: run.microvmId };
  await lives.setState(run.microvmId ?? "", "RUNNING");
  expect(await client.send(new microvms.SuspendMicrovmCommand(key))).toMatchObject({
    $metadata: { httpStatusCode: 200 },
  });
  expect(await client.send(new microvms.GetMicrovmCommand(key))).toMatchObject({ state: "SUSPENDED" });
  const allowedPorts = [{ port: 8080 }, { range: { startPort: 1, endPort: 2 } }, { allPorts: {} }];
  const { authToken } = await client.send(
    new microvms.CreateMicrovmAuthTokenCommand({ ...key, expirationInMinutes: 30, allowedPorts }),
  );
  expect(JSON.parse(authToken?.["X-aws-proxy-auth"] ?? "")).toMatchObject({ ports: allowedPorts });
  await client.send(new microvms.ResumeMicrovmCommand(key));
  expect(
    (await client.send(new microvms.ListMicrovmsCommand({ imageIdentifier: APP, maxResults: 5 }))).items,
  ).toHaveLength(1);
  await expect(client.send(new microvms.DeleteMicrovmImageCommand({ imageIdentifier: APP }))).rejects.toMatchObject({
    name: "ConflictException",
  });
  await client.send(new microvms.TerminateMicrovmCommand(key));
  expect(await client.send(new microvms.GetMicrovmCommand(key))).toMatchObject({ state: "TERMINATED" });
  await expect(client.send(new microvms.SuspendMicrovmCommand(key))).rejects.toBeInstanceOf(microvms.ConflictException);
});

test("refusals arrive as the SDK's exceptions, with the service's words", async () => {
  const { client } = await useClients();
  const run = (change: Partial<microvms.RunMicrovmCommandInput>) =>
    client.send(new microvms.RunMicrovmCommand({ imageIdentifier: APP, ...change }));
  await expect(run({ imageIdentifier: "app" })).rejects.toMatchObject({
    name: "ValidationException",
    message: "Malformed ARN - doesn't start with 'arn:'",
  });
  await expect(run({ runHookPayload: "x".repeat(4097) })).rejects.toBeInstanceOf(microvms.ValidationException);
  await expect(run({})).rejects.toBeInstanceOf(microvms.ResourceNotFoundException);
  await expect(client.send(new microvms.ListMicrovmsCommand({ maxResults: 51 }))).rejects.toMatchObject({
    message:
      "1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50",
  });
});

test("tags and managed images pass through the SDK", async () => {
  const { client } = await useClients();
  await client.send(
    new microvms.CreateMicrovmImageCommand(createInput("app") as microvms.CreateMicrovmImageCommandInput),
  );
  expect(
    (await client.send(new microvms.TagResourceCommand({ Resource: APP, Tags: { a: "1", b: "2" } }))).$metadata
      .httpStatusCode,
  ).toBe(204);
  await client.send(new microvms.UntagResourceCommand({ Resource: APP, TagKeys: ["a"] }));
  expect((await client.send(new microvms.ListTagsCommand({ Resource: APP }))).Tags).toEqual({ b: "2" });
  const images = await client.send(new microvms.ListManagedMicrovmImagesCommand({}));
  expect(images.items?.[0]).toMatchObject({ imageArn: BASE_ARN, createdAt: new Date("2026-06-17T00:00:00Z") });
  const pages = microvms.paginateListManagedMicrovmImageVersions(
    { client, pageSize: 1 },
    { imageIdentifier: BASE_ARN },
  );
  const versions: (string | undefined)[] = [];
  for await (const page of pages) versions.push(...(page.items ?? []).map((item) => item.imageVersion));
  expect(versions).toEqual(["1", "0"]);
});

test("roles pass through the SDK, and errors have IAM's codes", async () => {
  const { iam, sts } = await useClients();
  const trust = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" },
  });
  const key = { RoleName: "BuildRole" };
  await iam.send(new CreateRoleCommand({ ...key, AssumeRolePolicyDocument: trust, Tags: [{ Key: "a", Value: "1" }] }));
  const { Role } = await iam.send(new GetRoleCommand(key));
  expect(Role).toMatchObject({ Arn: ROLE_ARN, Tags: [{ Key: "a", Value: "1" }], CreateDate: expect.any(Date) });
  expect(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? "")).toBe(trust);
  const document = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Action: "s3:GetObject", Resource: "*" },
  });
  await iam.send(new PutRolePolicyCommand({ ...key, PolicyName: "P", PolicyDocument: document }));
  expect((await iam.send(new ListRolePoliciesCommand(key))).PolicyNames).toEqual(["P"]);
  await expect(iam.send(new DeleteRoleCommand(key))).rejects.toMatchObject({
    name: "DeleteConflictException",
    $metadata: { httpStatusCode: 409 },
  });
  await expect(iam.send(new CreateRoleCommand({ ...key, AssumeRolePolicyDocument: trust }))).rejects.toMatchObject({
    name: "EntityAlreadyExistsException",
  });
  await expect(iam.send(new GetRoleCommand({ RoleName: "None" }))).rejects.toMatchObject({
    name: "NoSuchEntityException",
    $metadata: { httpStatusCode: 404 },
  });
  await expect(iam.send(new GetRoleCommand({ RoleName: "a b" }))).rejects.toMatchObject({
    name: "ValidationError",
    $metadata: { httpStatusCode: 400 },
  });
  expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
    UserId: ACCOUNT,
    Account: ACCOUNT,
    Arn: `arn:aws:iam::${ACCOUNT}:root`,
  });
});
