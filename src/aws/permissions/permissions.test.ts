import * as iamSchemas from "@aws-sdk/client-iam";
import * as microvms from "@aws-sdk/client-lambda-microvms";
import * as s3Schemas from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { BASE_ARN, createInput, imageArnOf, REGION } from "../../../test/fixtures/use-lambda-microvms.ts";
import { ACCOUNT_TRUST, useAccount, type Key } from "../../../test/support/account.ts";
import { TEST_ACCOUNT } from "../../../test/support/api-endpoint.ts";
import { operationNames } from "../operation-names.ts";
import { createS3Service } from "../s3/s3-service.ts";
import { createIamService } from "../iam/iam-service.ts";
import { PERMISSIONS } from "./call-authorizer.ts";

const { CopyObjectCommand, CreateBucketCommand, DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command } =
  s3Schemas;
const { PutObjectCommand, ListBucketsCommand, UploadPartCommand } = s3Schemas;
const { CreateMicrovmImageCommand, GetMicrovmCommand, ListMicrovmImagesCommand, RunMicrovmCommand } = microvms;

const APP = imageArnOf("app");
const connector = (name: string) => `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector:${name}`;
const passAnyConnector = { Effect: "Allow", Action: "lambda:PassNetworkConnector", Resource: "*" };
const session = (role: string) => `arn:aws:sts::${TEST_ACCOUNT}:assumed-role/${role}/tester`;

function denied(role: string, action: string, resource: string) {
  return {
    name: "AccessDeniedException",
    message: `User: ${session(role)} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
    $metadata: { httpStatusCode: 403 },
  };
}

test("every operation that is served has its permissions in the table", async () => {
  const lambda = operationNames(microvms);
  expect(Object.keys(PERMISSIONS["lambda"] ?? {})).toEqual(expect.arrayContaining(lambda));
  const { lambda: fixture } = await useAccount();
  const s3 = createS3Service({ store: fixture.store, objectsDirectory: fixture.paths.objects });
  expect(Object.keys(PERMISSIONS["s3"] ?? {}).toSorted()).toEqual(Object.keys(s3.operations).toSorted());
  const iam = createIamService({ store: fixture.store });
  const served = Object.keys(PERMISSIONS["iam"] ?? {});
  for (const name of served) expect(iam.operations).toHaveProperty(name);
  expect(operationNames(iamSchemas)).toEqual(expect.arrayContaining(served));
});

test("a microVM is judged by its image, and the refusal says what is missing", async () => {
  const { lambda, microvms: client, roleKey } = await useAccount();
  const [app, other] = [await lambda.makeImage("app"), await lambda.makeImage("other")];
  const key = await roleKey(
    "Runner",
    { Effect: "Allow", Action: ["lambda:RunMicrovm", "lambda:GetMicrovm"], Resource: app },
    passAnyConnector,
  );
  const { microvmId } = await client(key).send(new RunMicrovmCommand({ imageIdentifier: app }));
  expect(await client(key).send(new GetMicrovmCommand({ microvmIdentifier: microvmId }))).toMatchObject({ microvmId });
  const stranger = await client().send(new RunMicrovmCommand({ imageIdentifier: other }));
  await expect(
    client(key).send(new GetMicrovmCommand({ microvmIdentifier: stranger.microvmId })),
  ).rejects.toMatchObject(denied("Runner", "lambda:GetMicrovm", other));
  await expect(
    client(key).send(new microvms.SuspendMicrovmCommand({ microvmIdentifier: microvmId })),
  ).rejects.toMatchObject(denied("Runner", "lambda:SuspendMicrovm", app));
  await expect(client(key).send(new GetMicrovmCommand({ microvmIdentifier: "microvm-none" }))).rejects.toMatchObject(
    denied("Runner", "lambda:GetMicrovm", "*"),
  );
  await expect(client(key).send(new ListMicrovmImagesCommand({}))).rejects.toMatchObject(
    denied("Runner", "lambda:ListMicrovmImages", "*"),
  );
});

test("a run needs its connectors passed, also the default ones, and its execution role", async () => {
  const { lambda, microvms: client, roleKey } = await useAccount();
  const app = await lambda.makeImage("app");
  const role = `arn:aws:iam::${TEST_ACCOUNT}:role/Exec`;
  const runAction = { Effect: "Allow", Action: "lambda:RunMicrovm", Resource: app };
  const pass = (...names: string[]) => ({ ...passAnyConnector, Resource: names.map(connector) });
  const run = (key: Key, change: object = {}) =>
    client(key).send(new RunMicrovmCommand({ imageIdentifier: app, ...change }));
  await expect(run(await roleKey("Bare", runAction))).rejects.toMatchObject(
    denied("Bare", "lambda:PassNetworkConnector", connector("HTTP_INGRESS")),
  );
  await expect(run(await roleKey("NoEgress", runAction, pass("HTTP_INGRESS")))).rejects.toMatchObject(
    denied("NoEgress", "lambda:PassNetworkConnector", connector("INTERNET_EGRESS")),
  );
  const both = await roleKey("Both", runAction, pass("HTTP_INGRESS", "INTERNET_EGRESS"));
  await run(both);
  await expect(run(both, { ingressNetworkConnectors: [connector("ALL_INGRESS")] })).rejects.toMatchObject(
    denied("Both", "lambda:PassNetworkConnector", connector("ALL_INGRESS")),
  );
  const publicPort = [connector("HTTP_INGRESS"), connector("PUBLIC_INGRESS_3000")];
  await expect(run(both, { ingressNetworkConnectors: publicPort })).rejects.toMatchObject(
    denied("Both", "lambda:PassNetworkConnector", connector("PUBLIC_INGRESS_3000")),
  );
  const publisher = await roleKey("Publisher", runAction, pass("*_INGRESS*", "INTERNET_EGRESS"));
  expect(await run(publisher, { ingressNetworkConnectors: publicPort })).toMatchObject({
    ingressNetworkConnectors: publicPort,
  });
  await expect(run(both, { executionRoleArn: role })).rejects.toMatchObject(denied("Both", "iam:PassRole", role));
  const passRole = {
    Effect: "Allow",
    Action: "iam:PassRole",
    Resource: role,
    Condition: { StringEquals: { "iam:PassedToService": "lambda.amazonaws.com" } },
  };
  await run(await roleKey("Passer", runAction, passAnyConnector, passRole), { executionRoleArn: role });
});

test("an image needs its build role passed, and the right to tag it", async () => {
  const { microvms: client, roleKey } = await useAccount();
  const create = { Effect: "Allow", Action: "lambda:CreateMicrovmImage", Resource: "*" };
  const passRole = { Effect: "Allow", Action: "iam:PassRole", Resource: "*" };
  const call = (key: Key, change: object = {}) =>
    client(key).send(new CreateMicrovmImageCommand(createInput("app", change)));
  const { buildRoleArn } = createInput("app");
  await expect(call(await roleKey("A", create))).rejects.toMatchObject(denied("A", "iam:PassRole", buildRoleArn));
  await expect(call(await roleKey("B", create, passRole), { tags: { team: "blue" } })).rejects.toMatchObject(
    denied("B", "lambda:TagResource", APP),
  );
  const onlyBlue = { StringEquals: { "aws:RequestTag/team": "blue" } };
  const tagging = { Effect: "Allow", Action: "lambda:TagResource", Resource: "*", Condition: onlyBlue };
  const tagger = await roleKey("C", create, passRole, tagging);
  await expect(call(tagger, { tags: { team: "red" } })).rejects.toMatchObject({ name: "AccessDeniedException" });
  expect(await call(tagger, { tags: { team: "blue" } })).toMatchObject({ imageArn: APP });
});

test("tags of an image open and close it", async () => {
  const { lambda, microvms: client, roleKey } = await useAccount();
  const blue = await lambda.makeImage("blue", { tags: { team: "blue" } });
  const plain = await lambda.makeImage("plain");
  const key = await roleKey("Blue", {
    Effect: "Allow",
    Action: "lambda:GetMicrovmImage",
    Resource: "*",
    Condition: { StringEquals: { "aws:ResourceTag/team": "blue" } },
  });
  const get = (imageIdentifier: string) => client(key).send(new microvms.GetMicrovmImageCommand({ imageIdentifier }));
  expect(await get(blue)).toMatchObject({ name: "blue" });
  await expect(get(plain)).rejects.toMatchObject({ name: "AccessDeniedException" });
});

test("tags of a role speak for it, as caller and as resource", async () => {
  const { iam, makeRole, assume } = await useAccount();
  const sameTeam = { StringEquals: { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } };
  const role = await makeRole("Team", {
    allow: [{ Effect: "Allow", Action: "iam:GetRole", Resource: "*", Condition: sameTeam }],
  });
  await makeRole("Mate");
  const tag = (RoleName: string, Value: string) =>
    iam().send(new iamSchemas.TagRoleCommand({ RoleName, Tags: [{ Key: "team", Value }] }));
  const key = await assume(role);
  const look = () => iam(key).send(new iamSchemas.GetRoleCommand({ RoleName: "Mate" }));
  await expect(look()).rejects.toMatchObject({ name: "AccessDenied" });
  await tag("Team", "blue");
  await tag("Mate", "red");
  await expect(look()).rejects.toMatchObject({ name: "AccessDenied" });
  await tag("Mate", "blue");
  await expect(look()).resolves.toBeDefined();
});

test("an explicit deny wins and is named", async () => {
  const { microvms: client, roleKey } = await useAccount();
  const key = await roleKey(
    "Denied",
    { Effect: "Allow", Action: "*", Resource: "*" },
    { Sid: "NoLists", Effect: "Deny", Action: "lambda:List*", Resource: "*" },
  );
  await expect(client(key).send(new ListMicrovmImagesCommand({}))).rejects.toMatchObject({
    message: `User: ${session("Denied")} is not authorized to perform: lambda:ListMicrovmImages on resource: * with an explicit deny in an identity-based policy (statement "NoLists" of inline policy "P" of role Denied denies it)`,
  });
});

test("S3 binds buckets, objects, both ends of a copy and the listed prefix", async () => {
  const { s3, roleKey } = await useAccount();
  const s3Denied = { name: "AccessDenied", $metadata: { httpStatusCode: 403 } };
  await s3().send(new CreateBucketCommand({ Bucket: "box" }));
  await s3().send(new PutObjectCommand({ Bucket: "box", Key: "out/secret", Body: "1" }));
  const key = await roleKey(
    "Objects",
    { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource: "arn:aws:s3:::box/in/*" },
    {
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: "arn:aws:s3:::box",
      Condition: { StringLike: { "s3:prefix": "in/*" } },
    },
  );
  const client = s3(key);
  await client.send(new PutObjectCommand({ Bucket: "box", Key: "in/a", Body: "1" }));
  const read = await client.send(new GetObjectCommand({ Bucket: "box", Key: "in/a" }));
  expect(await read.Body?.transformToString()).toBe("1");
  await client.send(new CopyObjectCommand({ Bucket: "box", Key: "in/b", CopySource: "box/in/a" }));
  expect(await client.send(new ListObjectsV2Command({ Bucket: "box", Prefix: "in/" }))).toMatchObject({ KeyCount: 2 });
  const refused = [
    new PutObjectCommand({ Bucket: "box", Key: "out/a", Body: "x".repeat(1_000_000) }),
    new GetObjectCommand({ Bucket: "box", Key: "out/secret" }),
    new CopyObjectCommand({ Bucket: "box", Key: "in/c", CopySource: "box/out/secret" }),
    new CopyObjectCommand({ Bucket: "box", Key: "out/c", CopySource: "box/in/a" }),
    new UploadPartCommand({ Bucket: "box", Key: "out/c", UploadId: "u", PartNumber: 1, Body: "x" }),
    new ListObjectsV2Command({ Bucket: "box" }),
    new ListBucketsCommand({}),
    new CreateBucketCommand({ Bucket: "mine" }),
  ];
  for (const command of refused) {
    // oxlint-disable-next-line typescript/no-explicit-any -- commands of many types
    await expect(client.send(command as any)).rejects.toMatchObject(s3Denied);
  }
  await expect(client.send(new GetObjectCommand({ Bucket: "box", Key: "in/a" }))).resolves.toBeDefined();
});

test("of many keys those are deleted that may be, and each other one says why not", async () => {
  const { s3, roleKey, trail } = await useAccount();
  const root = s3();
  await root.send(new CreateBucketCommand({ Bucket: "box" }));
  for (const Key of ["in/a", "out/b"]) await root.send(new PutObjectCommand({ Bucket: "box", Key, Body: "x" }));
  const key = await roleKey("Eraser", {
    Effect: "Allow",
    Action: "s3:DeleteObject",
    Resource: "arn:aws:s3:::box/in/*",
  });
  const Objects = ["in/a", "out/b", "out/none"].map((Key) => ({ Key }));
  const answer = await s3(key).send(new DeleteObjectsCommand({ Bucket: "box", Delete: { Objects } }));
  const refusal = (Key: string) => ({
    Key,
    Code: "AccessDenied",
    Message: `User: ${session("Eraser")} is not authorized to perform: s3:DeleteObject on resource: arn:aws:s3:::box/${Key} because no identity-based policy allows the s3:DeleteObject action`,
  });
  expect(answer).toMatchObject({ Deleted: [{ Key: "in/a" }], Errors: [refusal("out/b"), refusal("out/none")] });
  const { Contents } = await root.send(new ListObjectsV2Command({ Bucket: "box" }));
  expect(Contents?.map(({ Key }) => Key)).toEqual(["out/b"]);
  expect(trail.find(({ eventName }) => eventName === "DeleteObjects")).toMatchObject({
    resources: [{ ARN: "arn:aws:s3:::box/in/a" }],
    additionalEventData: { decision: "allowed in part", httpStatus: 200 },
  });
});

test("IAM's own operations are bound, each to its role", async () => {
  const { iam, roleKey, makeRole } = await useAccount();
  await makeRole("AppOne");
  const key = await roleKey("Admin", {
    Effect: "Allow",
    Action: ["iam:GetRole", "iam:CreateRole", "iam:PutRolePolicy"],
    Resource: `arn:aws:iam::${TEST_ACCOUNT}:role/App*`,
  });
  await iam(key).send(new iamSchemas.GetRoleCommand({ RoleName: "AppOne" }));
  await expect(iam(key).send(new iamSchemas.GetRoleCommand({ RoleName: "Admin" }))).rejects.toMatchObject({
    name: "AccessDenied",
    message: expect.stringContaining(`iam:GetRole on resource: arn:aws:iam::${TEST_ACCOUNT}:role/Admin`),
  });
  await expect(
    iam(key).send(new iamSchemas.PutRolePolicyCommand({ RoleName: "admin", PolicyName: "P", PolicyDocument: "{}" })),
  ).rejects.toMatchObject({ name: "AccessDenied" });
  await expect(iam(key).send(new iamSchemas.ListUsersCommand({}))).rejects.toMatchObject({ name: "AccessDenied" });
});

test("the trail names who did what to which resource and why, and holds no secret", async () => {
  const { lambda, microvms: client, roleKey, makeRole, assume, trail } = await useAccount();
  const app = await lambda.makeImage("app");
  const key = await roleKey("Reader", {
    Sid: "Read",
    Effect: "Allow",
    Action: "lambda:GetMicrovmImage",
    Resource: app,
  });
  trail.length = 0;
  await client(key).send(new microvms.GetMicrovmImageCommand({ imageIdentifier: app }));
  await client(key)
    .send(
      new CreateMicrovmImageCommand(createInput("new", { environmentVariables: { PASSWORD: "hunter2" }, tags: {} })),
    )
    .catch(() => {});
  await client().send(new RunMicrovmCommand({ imageIdentifier: app, clientToken: "t" }));
  await client({ ...key, sessionToken: "forged" })
    .send(new ListMicrovmImagesCommand({}))
    .catch(() => {});
  await assume(await makeRole("Shut", { trust: { ...ACCOUNT_TRUST, Effect: "Deny" } })).catch(() => {});
  expect(trail.pop()).toMatchObject({
    eventSource: "sts.amazonaws.com",
    eventName: "AssumeRole",
    errorCode: "AccessDenied",
    requestParameters: { RoleArn: `arn:aws:iam::${TEST_ACCOUNT}:role/Shut` },
    additionalEventData: { decision: "denied", reason: expect.stringContaining("of the trust policy denies it") },
  });
  const identity = { type: "AssumedRole", arn: session("Reader"), accessKeyId: key.accessKeyId };
  expect(trail).toMatchObject([
    {
      eventSource: "lambda.amazonaws.com",
      eventName: "GetMicrovmImage",
      readOnly: true,
      awsRegion: REGION,
      sourceIPAddress: "127.0.0.1",
      userIdentity: identity,
      requestParameters: { imageIdentifier: app },
      resources: [{ ARN: app, type: "AWS::Lambda::MicrovmImage", accountId: TEST_ACCOUNT }],
      responseElements: null,
      eventCategory: "Management",
      additionalEventData: { decision: "allowed", reason: 'statement "Read" of inline policy "P" of role Reader' },
    },
    {
      eventName: "CreateMicrovmImage",
      errorCode: "AccessDeniedException",
      requestParameters: { name: "new" },
      additionalEventData: { decision: "denied", action: "lambda:CreateMicrovmImage", httpStatus: 403 },
    },
    {
      eventName: "RunMicrovm",
      userIdentity: { type: "Root" },
      requestParameters: { microvmImageArn: app },
      responseElements: {
        microvmId: expect.stringMatching(/^microvm-/),
        microvmState: "PENDING",
        endpoint: expect.any(String),
        microvmImageArn: app,
        microvmImageVersion: "1.0",
      },
      resources: [{ ARN: app, type: "AWS::Lambda::MicrovmImage", accountId: TEST_ACCOUNT }],
      eventCategory: "Data",
      managementEvent: false,
      additionalEventData: { decision: "allowed: the root of the account" },
    },
    {
      userIdentity: { type: "Unknown", accessKeyId: key.accessKeyId },
      errorCode: "UnrecognizedClientException",
      additionalEventData: { decision: "not authenticated", httpStatus: 403 },
    },
  ]);
  const text = JSON.stringify(trail);
  for (const secret of ["hunter2", key.secretAccessKey, key.sessionToken, "forged", BASE_ARN])
    expect(text).not.toContain(secret);
});
