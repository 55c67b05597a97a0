import * as iam from "@aws-sdk/client-iam";
import * as lambda from "@aws-sdk/client-lambda-microvms";
import * as s3 from "@aws-sdk/client-s3";
import * as sts from "@aws-sdk/client-sts";
import { policyText } from "../support/account.ts";
import type { ApiClients } from "../support/api-clients.ts";
import type { ControlPlane } from "../support/control-plane.ts";
import { signedCall } from "../support/signed-call.ts";

const ACCOUNT = "123456789012";
const LAMBDA = "arn:aws:lambda:us-east-1";
const APP = `${LAMBDA}:${ACCOUNT}:microvm-image:app`;
const BUILD_ROLE = `arn:aws:iam::${ACCOUNT}:role/Build`;
const CONNECTORS = "/2026-04-04/network-connectors";

export interface Caller {
  /** Makes one call and records its answer or its error. */
  call(what: string, make: (at: { clients: ApiClients; plane: ControlPlane }) => Promise<unknown>): Promise<Answer>;
  /** Reads until `isDone`; records only the last answer. */
  until(
    what: string,
    make: (at: { clients: ApiClients }) => Promise<unknown>,
    isDone: (answer: Answer) => boolean,
  ): Promise<Answer>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- members of many output types
export type Answer = any;

/** What users do in their first hour, one call after the other, with the errors that they meet. */
export async function coreFlow(caller: Caller): Promise<void> {
  await rolesAndBuckets(caller);
  await images(caller);
  const ids = await microvms(caller);
  await connectors(caller);
  await versionsAndTags(caller);
  await theEnd(caller, ids);
}

async function rolesAndBuckets({ call }: Caller): Promise<void> {
  const trust = policyText({
    Effect: "Allow",
    Principal: { Service: "lambda.amazonaws.com", AWS: `arn:aws:iam::${ACCOUNT}:root` },
    Action: "sts:AssumeRole",
  });
  const role = { RoleName: "Build" };
  const policy = { ...role, PolicyName: "P" };
  const PolicyDocument = policyText(
    { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::box/*" },
    { Effect: "Allow", Action: "ec2:CreateNetworkInterface", Resource: "*" },
  );
  await call("create a role", ({ clients }) =>
    clients.iam.send(new iam.CreateRoleCommand({ ...role, AssumeRolePolicyDocument: trust })),
  );
  await call("create it again", ({ clients }) =>
    clients.iam.send(new iam.CreateRoleCommand({ ...role, AssumeRolePolicyDocument: trust })),
  );
  await call("give it a policy", ({ clients }) =>
    clients.iam.send(new iam.PutRolePolicyCommand({ ...policy, PolicyDocument })),
  );
  await call("read the policy", ({ clients }) => clients.iam.send(new iam.GetRolePolicyCommand(policy)));
  await call("read the role", ({ clients }) => clients.iam.send(new iam.GetRoleCommand(role)));
  await call("assume it", ({ clients }) =>
    clients.sts.send(new sts.AssumeRoleCommand({ RoleArn: BUILD_ROLE, RoleSessionName: "flow" })),
  );
  await call("make a bucket", ({ clients }) => clients.s3.send(new s3.CreateBucketCommand({ Bucket: "box" })));
  const put = { Bucket: "box", Key: "app.zip", Body: "a zip", Metadata: { team: "a" } };
  await call("upload", ({ clients }) => clients.s3.send(new s3.PutObjectCommand(put)));
  await call("read the head", ({ clients }) =>
    clients.s3.send(new s3.HeadObjectCommand({ Bucket: "box", Key: "app.zip", ChecksumMode: "ENABLED" })),
  );
  const { UploadId } = await call("begin an upload in parts", ({ clients }) =>
    clients.s3.send(new s3.CreateMultipartUploadCommand({ Bucket: "box", Key: "big" })),
  );
  const part = { Bucket: "box", Key: "big", UploadId, PartNumber: 1 };
  const { ETag } = await call("send a part", ({ clients }) =>
    clients.s3.send(new s3.UploadPartCommand({ ...part, Body: "part" })),
  );
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  await call("complete it", ({ clients }) =>
    clients.s3.send(new s3.CompleteMultipartUploadCommand({ ...part, MultipartUpload })),
  );
  await call("list objects", ({ clients }) =>
    clients.s3.send(new s3.ListObjectsV2Command({ Bucket: "box", MaxKeys: 1 })),
  );
}

const SETTINGS = {
  baseImageArn: `${LAMBDA}:aws:microvm-image:al2023-1`,
  buildRoleArn: BUILD_ROLE,
  codeArtifact: { uri: "s3://box/app.zip" },
};
const IMAGE = { imageIdentifier: APP };
const FIRST = { ...IMAGE, imageVersion: "1.0" };
const isBuilt = ({ state }: Answer) => !["CREATING", "UPDATING"].includes(String(state));

async function images({ call, until }: Caller): Promise<void> {
  const input = { ...SETTINGS, name: "app", description: "d", tags: { team: "a" }, clientToken: "create-1" };
  const create = (change: object = {}) => new lambda.CreateMicrovmImageCommand({ ...input, ...change });
  const read = ({ clients }: { clients: ApiClients }) => clients.lambda.send(new lambda.GetMicrovmImageCommand(IMAGE));
  await call("list managed images", ({ clients }) =>
    clients.lambda.send(new lambda.ListManagedMicrovmImagesCommand({})),
  );
  await call("create an image", ({ clients }) => clients.lambda.send(create()));
  await until("its state", read, isBuilt);
  await call("create it with the same token", ({ clients }) => clients.lambda.send(create()));
  await call("create another with that token", ({ clients }) => clients.lambda.send(create({ description: "other" })));
  await call("create it again", ({ clients }) => clients.lambda.send(create({ clientToken: "create-2" })));
  await call("read the version", ({ clients }) => clients.lambda.send(new lambda.GetMicrovmImageVersionCommand(FIRST)));
  const { items } = await call("list builds", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmImageBuildsCommand(FIRST)),
  );
  await call("read the build", ({ clients }) =>
    clients.lambda.send(new lambda.GetMicrovmImageBuildCommand({ ...FIRST, buildId: items[0].buildId })),
  );
  const failing = create({ name: "failing", codeArtifact: { uri: "s3://box/none.zip" }, clientToken: undefined });
  const failed = { imageIdentifier: APP.replace("app", "failing") };
  await call("create one that cannot be built", ({ clients }) => clients.lambda.send(failing));
  await until("its failure", ({ clients }) => clients.lambda.send(new lambda.GetMicrovmImageCommand(failed)), isBuilt);
  await call("why", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmImageBuildsCommand({ ...failed, imageVersion: "1.0" })),
  );
  const page = await call("list images", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmImagesCommand({ maxResults: 1 })),
  );
  await call("list further images", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmImagesCommand({ maxResults: 1, nextToken: page.nextToken })),
  );
  await call("list versions with a token of another list", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmImageVersionsCommand({ ...IMAGE, nextToken: page.nextToken })),
  );
}

async function microvms({ call, until }: Caller): Promise<string[]> {
  const input = { ...IMAGE, clientToken: "run-1", maximumDurationInSeconds: 600 };
  const run = (change: object = {}) => new lambda.RunMicrovmCommand({ ...input, ...change });
  const { microvmId = "" } = await call("run", ({ clients }) => clients.lambda.send(run()));
  const it = { microvmIdentifier: microvmId };
  const read = ({ clients }: { clients: ApiClients }) => clients.lambda.send(new lambda.GetMicrovmCommand(it));
  await until("RUNNING", read, ({ state }) => state === "RUNNING");
  await call("run with the same token", ({ clients }) => clients.lambda.send(run()));
  await call("run something else with it", ({ clients }) => clients.lambda.send(run({ maximumDurationInSeconds: 60 })));
  const minutes = { ...it, expirationInMinutes: 5 };
  await call("a token", ({ clients }) =>
    clients.lambda.send(new lambda.CreateMicrovmAuthTokenCommand({ ...minutes, allowedPorts: [{ port: 8080 }] })),
  );
  await call("a shell token", ({ clients }) =>
    clients.lambda.send(new lambda.CreateMicrovmShellAuthTokenCommand(minutes)),
  );
  await call("suspend", ({ clients }) => clients.lambda.send(new lambda.SuspendMicrovmCommand(it)));
  await call("suspend again", ({ clients }) => clients.lambda.send(new lambda.SuspendMicrovmCommand(it)));
  await until("SUSPENDED", read, ({ state }) => state === "SUSPENDED");
  await call("resume", ({ clients }) => clients.lambda.send(new lambda.ResumeMicrovmCommand(it)));
  await until("RUNNING again", read, ({ state }) => state === "RUNNING");
  const second = await call("run a second one", ({ clients }) => clients.lambda.send(run({ clientToken: "run-2" })));
  const other = new lambda.GetMicrovmCommand({ microvmIdentifier: second.microvmId });
  await until(
    "both RUNNING",
    ({ clients }) => clients.lambda.send(other),
    ({ state }) => state === "RUNNING",
  );
  const page = await call("list one", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmsCommand({ maxResults: 1 })),
  );
  await call("list the other", ({ clients }) =>
    clients.lambda.send(new lambda.ListMicrovmsCommand({ maxResults: 1, nextToken: page.nextToken })),
  );
  await call("run an image that is not there", ({ clients }) =>
    clients.lambda.send(run({ imageIdentifier: `${APP}-none`, clientToken: undefined })),
  );
  return [microvmId, String(second.microvmId)];
}

async function connectors({ call }: Caller): Promise<void> {
  const Configuration = {
    VpcEgressConfiguration: {
      SubnetIds: ["subnet-0a1"],
      SecurityGroupIds: ["sg-1"],
      NetworkProtocol: "IPv4",
      AssociatedComputeResourceTypes: ["MicroVm"],
    },
  };
  const body = { Name: "vpc", Configuration, OperatorRole: BUILD_ROLE, ClientToken: "connector-1" };
  await call("create a connector", ({ plane }) => signedCall(plane, "POST", CONNECTORS, body));
  await call("create it with the same token", ({ plane }) => signedCall(plane, "POST", CONNECTORS, body));
  await call("create it again", ({ plane }) => signedCall(plane, "POST", CONNECTORS, { ...body, ClientToken: "c-2" }));
  await call("read it", ({ plane }) => signedCall(plane, "GET", `${CONNECTORS}/vpc`));
  await call("update it", ({ plane }) =>
    signedCall(plane, "PUT", `${CONNECTORS}/vpc`, { Configuration, OperatorRole: BUILD_ROLE, ClientToken: "u-1" }),
  );
  await call("list connectors", ({ plane }) => signedCall(plane, "GET", `${CONNECTORS}?MaxItems=1`));
  await call("delete it", ({ plane }) => signedCall(plane, "DELETE", `${CONNECTORS}/vpc`));
  await call("read what is gone", ({ plane }) => signedCall(plane, "GET", `${CONNECTORS}/vpc`));
}

async function versionsAndTags({ call, until }: Caller): Promise<void> {
  const read = ({ clients }: { clients: ApiClients }) => clients.lambda.send(new lambda.GetMicrovmImageCommand(IMAGE));
  await call("update", ({ clients }) =>
    clients.lambda.send(new lambda.UpdateMicrovmImageCommand({ ...IMAGE, ...SETTINGS, clientToken: "update-1" })),
  );
  await until("UPDATED", read, isBuilt);
  await call("list versions", ({ clients }) => clients.lambda.send(new lambda.ListMicrovmImageVersionsCommand(IMAGE)));
  await call("take one out of use", ({ clients }) =>
    clients.lambda.send(new lambda.UpdateMicrovmImageVersionCommand({ ...FIRST, status: "INACTIVE" })),
  );
  await call("run it", ({ clients }) => clients.lambda.send(new lambda.RunMicrovmCommand(FIRST)));
  await call("tag", ({ clients }) =>
    clients.lambda.send(new lambda.TagResourceCommand({ Resource: APP, Tags: { a: "1", b: "2" } })),
  );
  await call("untag", ({ clients }) =>
    clients.lambda.send(new lambda.UntagResourceCommand({ Resource: APP, TagKeys: ["a", "team"] })),
  );
  await call("list tags", ({ clients }) => clients.lambda.send(new lambda.ListTagsCommand({ Resource: APP })));
}

async function theEnd({ call, until }: Caller, ids: readonly string[]): Promise<void> {
  const read = ({ clients }: { clients: ApiClients }) => clients.lambda.send(new lambda.GetMicrovmImageCommand(IMAGE));
  await call("delete an image in use", ({ clients }) =>
    clients.lambda.send(new lambda.DeleteMicrovmImageCommand(IMAGE)),
  );
  for (const microvmIdentifier of ids) {
    await call("terminate", ({ clients }) =>
      clients.lambda.send(new lambda.TerminateMicrovmCommand({ microvmIdentifier })),
    );
    const get = ({ clients }: { clients: ApiClients }) =>
      clients.lambda.send(new lambda.GetMicrovmCommand({ microvmIdentifier }));
    await until("TERMINATED", get, ({ state }) => state === "TERMINATED");
  }
  await call("delete a version", ({ clients }) =>
    clients.lambda.send(new lambda.DeleteMicrovmImageVersionCommand(FIRST)),
  );
  await until("without it", read, isBuilt);
  await call("delete the image", ({ clients }) => clients.lambda.send(new lambda.DeleteMicrovmImageCommand(IMAGE)));
  await until("gone", read, ({ error }) => error !== undefined);
  const keys = { Objects: [{ Key: "app.zip" }, { Key: "big" }] };
  await call("delete objects", ({ clients }) =>
    clients.s3.send(new s3.DeleteObjectsCommand({ Bucket: "box", Delete: keys })),
  );
  await call("delete the bucket", ({ clients }) => clients.s3.send(new s3.DeleteBucketCommand({ Bucket: "box" })));
  const policy = { RoleName: "Build", PolicyName: "P" };
  await call("delete a role that has a policy", ({ clients }) => clients.iam.send(new iam.DeleteRoleCommand(policy)));
  await call("delete the policy", ({ clients }) => clients.iam.send(new iam.DeleteRolePolicyCommand(policy)));
  await call("delete the role", ({ clients }) => clients.iam.send(new iam.DeleteRoleCommand(policy)));
}
