import * as iam from "@aws-sdk/client-iam";
import * as microvms from "@aws-sdk/client-lambda-microvms";
import * as s3 from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import type { CredentialStore } from "../../src/auth/credentials.ts";
import { createInput } from "../fixtures/use-lambda-microvms.ts";
import { ACCOUNT_TRUST, policyText, useAccount, type Key } from "../support/account.ts";

const OTHER: Key = { accessKeyId: "AKIAOTHEROTHEROTHER2", secretAccessKey: "the other root's secret" };

/** The root of a second account, who may do everything in it. */
const others: CredentialStore = {
  lookup: async (accessKeyId) => {
    if (accessKeyId !== OTHER.accessKeyId) return undefined;
    const principal = {
      arn: "arn:aws:iam::222222222222:root",
      accountId: "222222222222",
      accessKeyId,
      isAdministrator: true,
    };
    return { secretAccessKey: OTHER.secretAccessKey, principal };
  },
};

test("images, versions, builds and microVMs of one account do not exist for another", async () => {
  const { lambda, microvms: client } = await useAccount({ others });
  const imageIdentifier = await lambda.makeImage("app");
  const { microvmId: microvmIdentifier } = await client().send(new microvms.RunMicrovmCommand({ imageIdentifier }));
  const version = { imageIdentifier, imageVersion: "1.0" };
  const builds = await client().send(new microvms.ListMicrovmImageBuildsCommand(version));
  const { name: _, ...update } = createInput("app");
  const stranger = client(OTHER);
  const calls = [
    new microvms.GetMicrovmImageCommand({ imageIdentifier }),
    new microvms.UpdateMicrovmImageCommand({ imageIdentifier, ...update }),
    new microvms.DeleteMicrovmImageCommand({ imageIdentifier }),
    new microvms.ListMicrovmImageVersionsCommand({ imageIdentifier }),
    new microvms.GetMicrovmImageVersionCommand(version),
    new microvms.UpdateMicrovmImageVersionCommand({ ...version, status: "INACTIVE" }),
    new microvms.DeleteMicrovmImageVersionCommand(version),
    new microvms.ListMicrovmImageBuildsCommand(version),
    new microvms.GetMicrovmImageBuildCommand({ ...version, buildId: builds.items?.[0]?.buildId }),
    new microvms.RunMicrovmCommand({ imageIdentifier }),
    new microvms.GetMicrovmCommand({ microvmIdentifier }),
    new microvms.SuspendMicrovmCommand({ microvmIdentifier }),
    new microvms.ResumeMicrovmCommand({ microvmIdentifier }),
    new microvms.TerminateMicrovmCommand({ microvmIdentifier }),
    new microvms.CreateMicrovmAuthTokenCommand({
      microvmIdentifier,
      expirationInMinutes: 5,
      allowedPorts: [{ port: 80 }],
    }),
    new microvms.CreateMicrovmShellAuthTokenCommand({ microvmIdentifier, expirationInMinutes: 5 }),
    new microvms.TagResourceCommand({ Resource: imageIdentifier, Tags: { a: "b" } }),
    new microvms.UntagResourceCommand({ Resource: imageIdentifier, TagKeys: ["a"] }),
    new microvms.ListTagsCommand({ Resource: imageIdentifier }),
  ];
  for (const call of calls) {
    // oxlint-disable-next-line typescript/no-explicit-any -- commands of many types
    await expect(stranger.send(call as any)).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  }
  expect(await stranger.send(new microvms.ListMicrovmImagesCommand({}))).toMatchObject({ items: [] });
  expect(await stranger.send(new microvms.ListMicrovmsCommand({}))).toMatchObject({ items: [] });
  expect(await client().send(new microvms.GetMicrovmCommand({ microvmIdentifier }))).toMatchObject({
    microvmId: microvmIdentifier,
  });
});

test("the same names and the same client tokens mean other things in another account", async () => {
  const { microvms: client } = await useAccount({ others });
  const create = (key?: Key) =>
    client(key).send(new microvms.CreateMicrovmImageCommand(createInput("app", { clientToken: "token" })));
  const [mine, theirs] = [await create(), await create(OTHER)];
  expect(mine.imageArn).toContain(":123456789012:");
  expect(theirs.imageArn).toContain(":222222222222:");
});

test("buckets, objects and uploads of one account are shut to another", async () => {
  const { s3: client } = await useAccount({ others });
  const at = { Bucket: "box", Key: "k" };
  await client().send(new s3.CreateBucketCommand({ Bucket: "box" }));
  await client().send(new s3.PutObjectCommand({ ...at, Body: "mine" }));
  const { UploadId } = await client().send(new s3.CreateMultipartUploadCommand(at));
  const stranger = client(OTHER);
  await stranger.send(new s3.CreateBucketCommand({ Bucket: "theirs" }));
  const calls = [
    new s3.GetObjectCommand(at),
    new s3.PutObjectCommand({ ...at, Body: "theirs" }),
    new s3.DeleteObjectCommand(at),
    new s3.DeleteObjectsCommand({ Bucket: "box", Delete: { Objects: [{ Key: "k" }] } }),
    new s3.CopyObjectCommand({ Bucket: "theirs", Key: "k", CopySource: "box/k" }),
    new s3.ListObjectsV2Command({ Bucket: "box" }),
    new s3.ListMultipartUploadsCommand({ Bucket: "box" }),
    new s3.UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: "x" }),
    new s3.AbortMultipartUploadCommand({ ...at, UploadId }),
    new s3.DeleteBucketCommand({ Bucket: "box" }),
  ];
  for (const call of calls) {
    // oxlint-disable-next-line typescript/no-explicit-any -- commands of many types
    await expect(stranger.send(call as any)).rejects.toMatchObject({ name: "AccessDenied" });
  }
  const { Buckets } = await stranger.send(new s3.ListBucketsCommand({}));
  expect(Buckets?.map(({ Name }) => Name)).toEqual(["theirs"]);
  const { Body } = await client().send(new s3.GetObjectCommand(at));
  expect(await Body?.transformToString()).toBe("mine");
});

test("roles of one account do not exist for another", async () => {
  const { iam: client, makeRole } = await useAccount({ others });
  await makeRole("App");
  const stranger = client(OTHER);
  await expect(stranger.send(new iam.GetRoleCommand({ RoleName: "App" }))).rejects.toMatchObject({
    name: "NoSuchEntityException",
  });
  const AssumeRolePolicyDocument = policyText(ACCOUNT_TRUST);
  const made = await stranger.send(new iam.CreateRoleCommand({ RoleName: "App", AssumeRolePolicyDocument }));
  expect(made.Role?.Arn).toBe("arn:aws:iam::222222222222:role/App");
  await stranger.send(new iam.DeleteRoleCommand({ RoleName: "App" }));
  await expect(client().send(new iam.GetRoleCommand({ RoleName: "App" }))).resolves.toBeDefined();
});
