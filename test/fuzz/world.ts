import * as iam from "@aws-sdk/client-iam";
import * as lambda from "@aws-sdk/client-lambda-microvms";
import * as s3 from "@aws-sdk/client-s3";
import * as sts from "@aws-sdk/client-sts";
import { expect, vi } from "vitest";
import { policyText } from "../support/account.ts";
import type { ApiClients } from "../support/api-clients.ts";
import type { ControlPlane } from "../support/control-plane.ts";
import { signedCall } from "../support/signed-call.ts";
import type { SigningKey } from "../support/sign-request.ts";
import type { KnownValues } from "./shape-values.ts";

const REGION = "us-east-1";
export const ACCOUNT = "123456789012";
const ARN = `arn:aws:lambda:${REGION}:${ACCOUNT}`;
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/Fuzz`;
const BASE_ARN = `arn:aws:lambda:${REGION}:aws:microvm-image:al2023-1`;
const MANAGED = `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector`;
const UNSETTLED: readonly string[] = ["PENDING", "SUSPENDING", "TERMINATING"];

/** What requests are about: something of each kind, made and removed through the API. */
export interface World {
  readonly known: KnownValues;
  readonly session: SigningKey;
}

export async function makeWorld(plane: ControlPlane, clients: ApiClients): Promise<World> {
  await makeRole(clients);
  await clients.s3.send(new s3.CreateBucketCommand({ Bucket: "fuzz-bucket" }));
  await clients.s3.send(new s3.PutObjectCommand({ Bucket: "fuzz-bucket", Key: "app.zip", Body: "zip" }));
  const upload = await clients.s3.send(new s3.CreateMultipartUploadCommand({ Bucket: "fuzz-bucket", Key: "big" }));
  const create = { baseImageArn: BASE_ARN, buildRoleArn: ROLE_ARN, codeArtifact: { uri: "s3://fuzz-bucket/app.zip" } };
  await clients.lambda.send(new lambda.CreateMicrovmImageCommand({ name: "fuzz", ...create, tags: { a: "b" } }));
  await plane.idle();
  const { imageArn } = await clients.lambda.send(
    new lambda.GetMicrovmImageCommand({ imageIdentifier: `${ARN}:microvm-image:fuzz` }),
  );
  const builds = await clients.lambda.send(
    new lambda.ListMicrovmImageBuildsCommand({ imageIdentifier: imageArn, imageVersion: "1.0" }),
  );
  const run = () => clients.lambda.send(new lambda.RunMicrovmCommand({ imageIdentifier: imageArn }));
  const [awake, asleep] = [await run(), await run()];
  await settle(plane);
  await clients.lambda.send(new lambda.SuspendMicrovmCommand({ microvmIdentifier: asleep.microvmId }));
  await settle(plane);
  const page = await clients.lambda.send(new lambda.ListMicrovmsCommand({ maxResults: 1 }));
  const { Credentials: session } = await clients.sts.send(
    new sts.AssumeRoleCommand({ RoleArn: ROLE_ARN, RoleSessionName: "fuzz" }),
  );
  return {
    session: {
      accessKeyId: session?.AccessKeyId ?? "",
      secretAccessKey: session?.SecretAccessKey ?? "",
      sessionToken: session?.SessionToken ?? "",
    },
    known: knownValues({
      microvmIds: [awake.microvmId ?? "", asleep.microvmId ?? "", "microvm-00000000-0000-3000-8000-000000000000"],
      buildIds: builds.items?.map(({ buildId }) => buildId ?? "") ?? [],
      uploadId: upload.UploadId ?? "",
      nextToken: page.nextToken ?? "",
    }),
  };
}

async function makeRole(clients: ApiClients): Promise<void> {
  const trust = policyText({
    Effect: "Allow",
    Principal: { Service: "lambda.amazonaws.com", AWS: `arn:aws:iam::${ACCOUNT}:root` },
    Action: "sts:AssumeRole",
  });
  await clients.iam.send(new iam.CreateRoleCommand({ RoleName: "Fuzz", AssumeRolePolicyDocument: trust }));
  const PolicyDocument = policyText({ Effect: "Allow", Action: "*", Resource: "*" });
  await clients.iam.send(new iam.PutRolePolicyCommand({ RoleName: "Fuzz", PolicyName: "All", PolicyDocument }));
}

interface Made {
  readonly microvmIds: readonly string[];
  readonly buildIds: readonly string[];
  readonly uploadId: string;
  readonly nextToken: string;
}

function knownValues({ microvmIds, buildIds, uploadId, nextToken }: Made): KnownValues {
  const images = [`${ARN}:microvm-image:fuzz`, `${ARN}:microvm-image:missing`, BASE_ARN];
  const roles = [ROLE_ARN, `arn:aws:iam::${ACCOUNT}:role/Missing`];
  const document = policyText({ Effect: "Allow", Action: "s3:*", Resource: "*" });
  const toggle = ["ENABLED", "DISABLED"];
  return {
    imageIdentifier: images,
    Resource: [...images, `${ARN}:network-connector:nc-1`],
    microvmIdentifier: microvmIds,
    imageVersion: ["1.0", "1", "2.0"],
    baseImageArn: [BASE_ARN],
    baseImageVersion: ["1", "0", "7"],
    buildId: buildIds,
    ...Object.fromEntries(["buildRoleArn", "executionRoleArn", "OperatorRole", "RoleArn"].map((name) => [name, roles])),
    uri: ["s3://fuzz-bucket/app.zip", "s3://fuzz-bucket/none.zip", "s3://missing/app.zip"],
    name: ["other", "fuzz", "third"],
    status: ["ACTIVE", "INACTIVE"],
    architecture: ["ARM_64", "X86_64"],
    minimumMemoryInMiB: [512, 2048, 3000],
    additionalOsCapabilities: ["ALL"],
    ...Object.fromEntries(["ready", "validate", "run", "resume", "suspend", "terminate"].map((hook) => [hook, toggle])),
    egressNetworkConnectors: [[`${MANAGED}:INTERNET_EGRESS`], [`${MANAGED}:NO_EGRESS`], []],
    ingressNetworkConnectors: [[`${MANAGED}:HTTP_INGRESS`], [`${MANAGED}:ALL_INGRESS`, `${MANAGED}:SHELL_INGRESS`], []],
    clientToken: ["token-1", "token-2"],
    ClientToken: ["token-1", "token-2"],
    maxResults: [1, 50],
    nextToken: [nextToken],
    expirationInMinutes: [1, 60],
    allowedPorts: [[{ port: 8080 }], [{ allPorts: {} }, { range: { startPort: 1, endPort: 9 } }]],
    maxIdleDurationSeconds: [900],
    suspendedDurationSeconds: [28_800],
    maximumDurationInSeconds: [28_800, 3600],
    logGroup: ["/aws/lambda-microvms/fuzz"],
    Name: ["link", "other"],
    Identifier: ["link", "nc-1"],
    SubnetIds: [["subnet-0a1"]],
    SecurityGroupIds: [["sg-1"]],
    NetworkProtocol: ["IPv4"],
    AssociatedComputeResourceTypes: [["MicroVm"]],
    Bucket: ["fuzz-bucket", "fuzz-bucket", "another-bucket", "missing-bucket"],
    Key: ["app.zip", "big", "a/b c", "ü"],
    UploadId: [uploadId, "none"],
    CopySource: ["fuzz-bucket/app.zip", "/fuzz-bucket/missing"],
    PartNumber: [1, 2, 10_000],
    Range: ["bytes=0-1", "bytes=-2"],
    RoleName: ["Fuzz", "Other"],
    PolicyName: ["All", "Other"],
    PolicyDocument: [document],
    Policy: [document],
    AssumeRolePolicyDocument: [policyText({ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" })],
    RoleSessionName: ["fuzz"],
    DurationSeconds: [900, 3600],
    Path: ["/", "/a/"],
  };
}

/** Nothing of what was asked for is still under way. */
export async function settle(plane: ControlPlane): Promise<void> {
  await plane.idle();
  const rows = await plane.store.db.selectFrom("microvms").select("id").execute();
  await vi.waitFor(
    async () => {
      const states = await Promise.all(rows.map(({ id }) => plane.stateOf(id)));
      expect(states.filter((state) => UNSETTLED.includes(state ?? ""))).toEqual([]);
    },
    { timeout: 20_000, interval: 2 },
  );
}

/** Removes everything there is through the API, whoever made it. */
export async function clearWorld(plane: ControlPlane, clients: ApiClients): Promise<void> {
  const { db } = plane.store;
  await settle(plane);
  for (const { id } of await db.selectFrom("microvms").select("id").where("state", "!=", "TERMINATED").execute())
    await clients.lambda.send(new lambda.TerminateMicrovmCommand({ microvmIdentifier: id }));
  await settle(plane);
  for (const { arn } of await db.selectFrom("images").select("arn").execute())
    await clients.lambda.send(new lambda.DeleteMicrovmImageCommand({ imageIdentifier: arn }));
  await settle(plane);
  for (const { name } of await db.selectFrom("s3_buckets").select("name").execute())
    await emptyBucket(plane, clients, name);
  for (const role of await db.selectFrom("iam_role_policies").selectAll().execute())
    await clients.iam.send(new iam.DeleteRolePolicyCommand({ RoleName: role.role_name, PolicyName: role.policy_name }));
  for (const { name } of await db.selectFrom("iam_roles").select("name").execute())
    await clients.iam.send(new iam.DeleteRoleCommand({ RoleName: name }));
  for (const { id } of await db.selectFrom("network_connectors").select("id").where("deleted_at", "is", null).execute())
    await signedCall(plane, "DELETE", `/2026-04-04/network-connectors/${id}`);
}

async function emptyBucket({ store: { db } }: ControlPlane, clients: ApiClients, Bucket: string): Promise<void> {
  for (const { key } of await db.selectFrom("s3_objects").select("key").where("bucket", "=", Bucket).execute())
    await clients.s3.send(new s3.DeleteObjectCommand({ Bucket, Key: key }));
  for (const row of await db.selectFrom("s3_uploads").selectAll().where("bucket", "=", Bucket).execute())
    await clients.s3.send(new s3.AbortMultipartUploadCommand({ Bucket, Key: row.key, UploadId: row.upload_id }));
  await clients.s3.send(new s3.DeleteBucketCommand({ Bucket }));
}
