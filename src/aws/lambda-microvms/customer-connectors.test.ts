import { expect, test } from "vitest";
import { OPERATOR_ROLE, useLambdaCore, VPC } from "../../../test/fixtures/use-lambda-core.ts";
import { ACCOUNT, createInput, REGION, useLambdaMicrovms } from "../../../test/fixtures/use-lambda-microvms.ts";
import { managedConnectorArn } from "../../model/connectors.ts";

async function use() {
  const lambda = await useLambdaMicrovms();
  const core = await useLambdaCore(lambda.store);
  return { ...lambda, core };
}

const notFound = (arn: string) => ({
  shape: "ResourceNotFoundException",
  message: `Network connector not found: ${arn}`,
  members: { resourceId: arn, resourceType: "NetworkConnector" },
});

test("an ACTIVE connector of the account is taken by images and runs, and read back", async () => {
  const { call, makeImage, core } = await use();
  const { Arn } = await core.create("vpc");
  const image = await makeImage("app", { egressNetworkConnectors: [Arn] });
  const version = await call("GetMicrovmImageVersion", { imageIdentifier: image, imageVersion: "1.0" });
  expect(version.egressNetworkConnectors).toEqual([Arn]);
  const run = await call("RunMicrovm", { imageIdentifier: image });
  expect(run.egressNetworkConnectors).toEqual([Arn]);
  const named = await call("RunMicrovm", {
    imageIdentifier: image,
    egressNetworkConnectors: [managedConnectorArn(REGION, "NO_EGRESS")],
  });
  expect(named.egressNetworkConnectors).toEqual([managedConnectorArn(REGION, "NO_EGRESS")]);
});

test("a connector that is gone is not found, also where an image brings it along", async () => {
  const { call, makeImage, core } = await use();
  const { Arn } = await core.create("vpc");
  const image = await makeImage("app", { egressNetworkConnectors: [Arn] });
  await core.call("DeleteNetworkConnector", { Identifier: Arn });
  await expect(call("RunMicrovm", { imageIdentifier: image })).rejects.toMatchObject(notFound(Arn));
  await expect(
    call("CreateMicrovmImage", createInput("other", { egressNetworkConnectors: [Arn] })),
  ).rejects.toMatchObject(notFound(Arn));
  await expect(call("GetMicrovmImage", { imageIdentifier: image.replace("app", "other") })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
  const { name: _, ...settings } = createInput("app", { egressNetworkConnectors: [Arn] });
  await expect(call("UpdateMicrovmImage", { ...settings, imageIdentifier: image })).rejects.toMatchObject(
    notFound(Arn),
  );
  expect(await call("GetMicrovmImage", { imageIdentifier: image })).toMatchObject({ state: "CREATED" });
});

test("a connector that is not ACTIVE, of another Region, or used for ingress is refused", async () => {
  const { call, makeImage, core } = await use();
  const image = await makeImage();
  const run = (change: object) => call("RunMicrovm", { imageIdentifier: image, ...change });
  const failed = await core.create("failed", { OperatorRole: `arn:aws:iam::${ACCOUNT}:role/Nobody` });
  await expect(run({ egressNetworkConnectors: [failed.Arn] })).rejects.toMatchObject({
    shape: "ValidationException",
    message: `Network connector ${failed.Arn} is not ACTIVE, its state is FAILED`,
  });
  const input = { Name: "far", Configuration: VPC, OperatorRole: OPERATOR_ROLE };
  const far = await core.call("CreateNetworkConnector", input, { region: "eu-west-1" });
  await expect(run({ egressNetworkConnectors: [far.Arn] })).rejects.toMatchObject({
    shape: "ValidationException",
    message: expect.stringContaining("must be in the Region of the MicroVM image"),
  });
  const { Arn } = await core.create("vpc");
  await expect(run({ ingressNetworkConnectors: [Arn] })).rejects.toMatchObject({
    shape: "ValidationException",
    message: `Network connector ${Arn} cannot be used as ingress network connector`,
  });
});

test("another account's connector does not exist", async () => {
  const { call, makeImage, core } = await use();
  const image = await makeImage();
  const input = { Name: "theirs", Configuration: VPC, OperatorRole: OPERATOR_ROLE };
  const { Arn } = await core.call("CreateNetworkConnector", input, { accountId: "210987654321" });
  await expect(call("RunMicrovm", { imageIdentifier: image, egressNetworkConnectors: [Arn] })).rejects.toMatchObject(
    notFound(Arn),
  );
  await expect(call("ListTags", { Resource: Arn })).rejects.toMatchObject(notFound(Arn));
});

test("connectors are tagged by ARN", async () => {
  const { call, core } = await use();
  const { Arn } = await core.create("vpc", { Tags: { team: "a" } });
  await call("TagResource", { Resource: Arn, Tags: { stage: "test" } });
  await call("UntagResource", { Resource: Arn, TagKeys: ["team"] });
  expect(await call("ListTags", { Resource: Arn })).toEqual({ Tags: { stage: "test" } });
  await core.call("DeleteNetworkConnector", { Identifier: Arn });
  await expect(call("ListTags", { Resource: Arn })).rejects.toMatchObject(notFound(Arn));
});
