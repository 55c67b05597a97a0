import { expect, test } from "vitest";
import type { Quotas } from "../../model/quotas.ts";
import { insertOperatorRole, OPERATOR_ROLE, useLambdaCore, VPC } from "../../../test/fixtures/use-lambda-core.ts";
import { ACCOUNT, REGION } from "../../../test/fixtures/use-lambda-microvms.ts";
import { useStore } from "../../../test/support/api-endpoint.ts";

const use = async (options: { quotas?: Quotas } = {}) => {
  const store = useStore();
  return { store, ...(await useLambdaCore(store, options)) };
};
const invalid = (message: string) => ({ shape: "InvalidParameterValueException", message });
const missing = (identifier: string) => ({
  shape: "ResourceNotFoundException",
  message: `Network connector not found: ${identifier}`,
});

test("a new connector answers PENDING and is ACTIVE at the next read, by id, name and ARN", async () => {
  const { create, call } = await use();
  const made = await create("vpc");
  expect(made).toEqual({
    Arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:network-connector:${made.Id}`,
    Name: "vpc",
    Id: expect.stringMatching(/^nc-[0-9a-f-]{36}$/),
    Configuration: VPC,
    OperatorRole: OPERATOR_ROLE,
    State: "PENDING",
  });
  for (const Identifier of ["vpc", made.Id, made.Arn, `${made.Arn}:1`]) {
    expect(await call("GetNetworkConnector", { Identifier })).toEqual({
      ...made,
      State: "ACTIVE",
      Version: 1,
      LastModified: expect.any(Date),
    });
  }
});

test("an operator role that does not suffice fails the connector, and the reason says what is missing", async () => {
  const { store, create, call } = await use();
  const one = {
    Effect: "Allow",
    Action: "ec2:CreateNetworkInterface",
    Resource: "arn:aws:ec2:*:*:network-interface/*",
  };
  const weak = await insertOperatorRole(store, "Weak", one);
  await create("vpc", { OperatorRole: weak });
  expect(await call("GetNetworkConnector", { Identifier: "vpc" })).toMatchObject({
    State: "FAILED",
    StateReasonCode: "InsufficientRolePermissions",
    StateReason: expect.stringContaining(
      `ec2:CreateNetworkInterface on arn:aws:ec2:${REGION}:${ACCOUNT}:subnet/subnet-0a1`,
    ),
  });
  await create("nobody", { OperatorRole: `arn:aws:iam::${ACCOUNT}:role/Nobody` });
  expect(await call("GetNetworkConnector", { Identifier: "nobody" })).toMatchObject({
    State: "FAILED",
    StateReason: expect.stringContaining("does not exist"),
  });
});

test("what the service demands beyond the shape is refused in its words", async () => {
  const { create } = await use();
  const { NetworkProtocol: _, ...noProtocol } = VPC.VpcEgressConfiguration;
  const { SubnetIds: __, ...noSubnets } = VPC.VpcEgressConfiguration;
  await expect(create("vpc", { OperatorRole: undefined })).rejects.toMatchObject(
    invalid("NetworkConnectorOperatorRole is required for VPC_EGRESS connector type"),
  );
  await expect(create("vpc", { Configuration: { VpcEgressConfiguration: noProtocol } })).rejects.toMatchObject(
    invalid("NetworkProtocol cannot be null or empty for VPC_EGRESS connector"),
  );
  await expect(create("vpc", { Configuration: { VpcEgressConfiguration: noSubnets } })).rejects.toMatchObject(
    invalid("SubnetIds cannot be null or empty for VPC_EGRESS connector"),
  );
  await expect(create("vpc", { Tags: { "aws:x": "1" } })).rejects.toMatchObject({
    shape: "InvalidParameterValueException",
  });
});

test.each([
  ["a name with a blank", { Name: "a b" }, "Value at 'Name' failed to satisfy constraint: Member must satisfy regular"],
  [
    "seventeen subnets",
    { Configuration: { VpcEgressConfiguration: { SubnetIds: Array.from({ length: 17 }, () => "subnet-1") } } },
    "Value at 'Configuration.VpcEgressConfiguration.SubnetIds' failed to satisfy constraint: Member must have length less than or equal to 16",
  ],
  [
    "another compute type",
    { Configuration: { VpcEgressConfiguration: { AssociatedComputeResourceTypes: ["Function"] } } },
    "Member must satisfy enum value set: [MicroVm]",
  ],
  ["no configuration", { Configuration: undefined }, "Value null at 'Configuration' failed to satisfy constraint"],
  ["a long token", { ClientToken: "x".repeat(65) }, "Member must have length less than or equal to 64"],
])("%s breaks the shape", async (_what, change, message) => {
  const { create } = await use();
  await expect(create("vpc", change)).rejects.toMatchObject(invalid(expect.stringContaining(message) as never));
});

test("a name is taken once in an account and Region, and free again after deletion", async () => {
  const { create, call } = await use();
  await create("vpc");
  await expect(create("vpc")).rejects.toMatchObject({ shape: "ResourceConflictException" });
  await call(
    "CreateNetworkConnector",
    { Name: "vpc", Configuration: VPC, OperatorRole: OPERATOR_ROLE },
    { region: "eu-west-1" },
  );
  await call("DeleteNetworkConnector", { Identifier: "vpc" });
  expect(await create("vpc")).toMatchObject({ State: "PENDING" });
});

test("a token makes one connector, and another request with it is a conflict", async () => {
  const { create, call } = await use();
  const first = await create("vpc", { ClientToken: "t" });
  expect(await create("vpc", { ClientToken: "t" })).toEqual(first);
  await expect(create("other", { ClientToken: "t" })).rejects.toMatchObject({ shape: "ResourceConflictException" });
  await call("DeleteNetworkConnector", { Identifier: "vpc" });
  expect((await create("vpc", { ClientToken: "t" })).Id).not.toBe(first.Id);
});

test("an update replaces the whole configuration, counts the version and binds microVMs again", async () => {
  const { create, call, rebound } = await use();
  const { Arn } = await create("vpc");
  const Configuration = { VpcEgressConfiguration: { SubnetIds: ["subnet-0c3"], NetworkProtocol: "DualStack" } };
  const updated = await call("UpdateNetworkConnector", { Identifier: "vpc", Configuration, ClientToken: "u" });
  expect(updated).toMatchObject({
    State: "ACTIVE",
    LastUpdateStatus: "InProgress",
    Configuration,
    LastModified: expect.any(Date),
  });
  expect(await call("UpdateNetworkConnector", { Identifier: "vpc", Configuration, ClientToken: "u" })).toEqual(updated);
  expect(rebound).toEqual([Arn]);
  expect(await call("GetNetworkConnector", { Identifier: Arn })).toMatchObject({
    Configuration,
    OperatorRole: OPERATOR_ROLE,
    Version: 2,
    LastUpdateStatus: "Successful",
  });
});

test("an update that fails leaves the connector ACTIVE as it was and says why", async () => {
  const { create, call } = await use();
  await create("vpc");
  await call("UpdateNetworkConnector", { Identifier: "vpc", OperatorRole: `arn:aws:iam::${ACCOUNT}:role/Nobody` });
  expect(await call("GetNetworkConnector", { Identifier: "vpc" })).toMatchObject({
    State: "ACTIVE",
    OperatorRole: OPERATOR_ROLE,
    LastUpdateStatus: "Failed",
    LastUpdateStatusReasonCode: "InsufficientRolePermissions",
    LastUpdateStatusReason: expect.stringContaining("Nobody"),
  });
  await call("UpdateNetworkConnector", { Identifier: "vpc", OperatorRole: OPERATOR_ROLE });
  const mended = await call("GetNetworkConnector", { Identifier: "vpc" });
  expect(mended).toMatchObject({ LastUpdateStatus: "Successful", Version: 3 });
  expect(mended).not.toHaveProperty("LastUpdateStatusReason");
});

test("a connector that is not ACTIVE cannot be updated but can be deleted", async () => {
  const { create, call } = await use();
  await create("vpc", { OperatorRole: `arn:aws:iam::${ACCOUNT}:role/Nobody` });
  await expect(
    call("UpdateNetworkConnector", { Identifier: "vpc", OperatorRole: OPERATOR_ROLE }),
  ).rejects.toMatchObject({
    shape: "ResourceConflictException",
    message: expect.stringContaining("FAILED"),
  });
  expect(await call("DeleteNetworkConnector", { Identifier: "vpc" })).toMatchObject({ State: "DELETING" });
});

test("a deleted connector is gone, cuts its microVMs off, and may be deleted again", async () => {
  const { create, call, rebound, advance } = await use();
  const { Arn, Id } = await create("vpc");
  const deleted = await call("DeleteNetworkConnector", { Identifier: "vpc" });
  expect(deleted).toMatchObject({ Arn, Id, Name: "vpc", State: "DELETING" });
  expect(rebound).toEqual([Arn]);
  for (const Identifier of ["vpc", Id, Arn]) {
    await expect(call("GetNetworkConnector", { Identifier })).rejects.toMatchObject(missing(Identifier));
    expect(await call("DeleteNetworkConnector", { Identifier })).toEqual(deleted);
  }
  expect((await call("ListNetworkConnectors")).NetworkConnectors).toEqual([]);
  await expect(call("UpdateNetworkConnector", { Identifier: Id, Configuration: VPC })).rejects.toMatchObject(
    missing(Id),
  );
  advance(25 * 3600_000);
  await create("other");
  await call("DeleteNetworkConnector", { Identifier: "other" });
  await expect(call("DeleteNetworkConnector", { Identifier: Id })).rejects.toMatchObject(missing(Id));
});

test("other accounts and Regions do not see a connector", async () => {
  const { create, call } = await use();
  const { Arn } = await create("vpc");
  for (const elsewhere of [{ accountId: "210987654321" }, { region: "eu-west-1" }]) {
    await expect(call("GetNetworkConnector", { Identifier: Arn }, elsewhere)).rejects.toMatchObject(missing(Arn));
    expect((await call("ListNetworkConnectors", {}, elsewhere)).NetworkConnectors).toEqual([]);
  }
});

test("lists page by name, filter after the page and refuse a marker of elsewhere", async () => {
  const { create, call } = await use();
  for (const name of ["c", "a", "d", "b"]) await create(name);
  await create("e", { OperatorRole: `arn:aws:iam::${ACCOUNT}:role/Nobody` });
  const first = await call("ListNetworkConnectors", { MaxItems: 2 });
  expect(first.NetworkConnectors).toMatchObject([{ Name: "a" }, { Name: "b", Type: "VPC_EGRESS", State: "ACTIVE" }]);
  const second = await call("ListNetworkConnectors", { MaxItems: 3, Marker: first.NextMarker });
  expect(second.NetworkConnectors.map((item: { Name: string }) => item.Name)).toEqual(["c", "d", "e"]);
  expect(second.NextMarker).toBeUndefined();
  const failed = await call("ListNetworkConnectors", { State: "FAILED", MaxItems: 4 });
  expect(failed).toMatchObject({ NetworkConnectors: [], NextMarker: expect.any(String) });
  await expect(call("ListNetworkConnectors", { Marker: "nonsense" })).rejects.toMatchObject({
    shape: "InvalidParameterValueException",
  });
  await expect(call("ListNetworkConnectors", { MaxItems: 101 })).rejects.toMatchObject(
    invalid(expect.stringContaining("less than or equal to 100") as never),
  );
});

test("more connectors than the limit are refused", async () => {
  const { create, call } = await use({ quotas: { networkConnectors: 1 } });
  await create("one");
  await expect(create("two")).rejects.toMatchObject({ shape: "NetworkConnectorLimitExceededException" });
  await call("DeleteNetworkConnector", { Identifier: "one" });
  await create("two");
});

test("calls over a rate are told to come back later", async () => {
  const { call } = await use({ quotas: { rates: { ListNetworkConnectors: { perSecond: 0.0001, burst: 1 } } } });
  await call("ListNetworkConnectors");
  await expect(call("ListNetworkConnectors")).rejects.toMatchObject({
    shape: "TooManyRequestsException",
    members: { Reason: "CallerRateLimitExceeded", retryAfterSeconds: "10000" },
  });
});
