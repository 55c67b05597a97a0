import { expect, test } from "vitest";
import { REGION } from "../fixtures/use-lambda-microvms.ts";
import { insertOperatorRole, VPC } from "../fixtures/use-lambda-core.ts";
import { useAccount, type Key } from "../support/account.ts";
import { TEST_ACCOUNT, TEST_KEY } from "../support/api-endpoint.ts";
import { AWS, runProgram } from "../support/project.ts";

const TIMEOUT_MS = 240_000;

/** The AWS CLI, which knows the service's own model, signed with any key; answers JSON or the error's text. */
async function useCli() {
  const account = await useAccount();
  const operator = await insertOperatorRole(account.store, "Operator", {
    Effect: "Allow",
    Action: "ec2:*",
    Resource: "*",
  });
  const aws = async (args: readonly string[], key: Key = TEST_KEY) => {
    const env = {
      AWS_ENDPOINT_URL: account.endpoint.url,
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      AWS_SESSION_TOKEN: key.sessionToken ?? "",
      AWS_MAX_ATTEMPTS: "1",
    };
    const { code, stdout, stderr } = await runProgram(AWS, args, { env });
    return { code, stderr, answer: stdout.trim() === "" ? undefined : JSON.parse(stdout) };
  };
  const core = (command: string, ...args: string[]) => aws(["lambda-core", command, ...args]);
  const create = (name: string, ...args: string[]) =>
    core(
      "create-network-connector",
      "--name",
      name,
      "--configuration",
      JSON.stringify(VPC),
      "--operator-role",
      operator,
      ...args,
    );
  return { ...account, aws, core, create, operator };
}

test("the AWS CLI makes, reads, updates, tags, lists and deletes a connector", { timeout: TIMEOUT_MS }, async () => {
  const { aws, core, create } = await useCli();
  const { answer: made } = await create("vpc", "--tags", "team=a");
  expect(made).toMatchObject({ Name: "vpc", State: "PENDING", Configuration: VPC });
  const { answer: read } = await core("get-network-connector", "--identifier", made.Arn);
  expect(read).toMatchObject({ State: "ACTIVE", Version: 1, LastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
  const changed = { VpcEgressConfiguration: { SubnetIds: ["subnet-1"], NetworkProtocol: "IPv4" } };
  const update = await core(
    "update-network-connector",
    "--identifier",
    "vpc",
    "--configuration",
    JSON.stringify(changed),
  );
  expect(update.answer).toMatchObject({ State: "ACTIVE", LastUpdateStatus: "InProgress", Configuration: changed });
  await aws(["lambda-microvms", "tag-resource", "--resource", made.Arn, "--tags", "stage=test"]);
  expect((await aws(["lambda-microvms", "list-tags", "--resource", made.Arn])).answer).toEqual({
    Tags: { team: "a", stage: "test" },
  });
  const { answer: list } = await core("list-network-connectors", "--state", "ACTIVE");
  expect(list.NetworkConnectors).toMatchObject([{ Arn: made.Arn, Id: made.Id, Type: "VPC_EGRESS", State: "ACTIVE" }]);
  expect((await core("delete-network-connector", "--identifier", made.Id)).answer).toMatchObject({ State: "DELETING" });
  const { code, stderr } = await core("get-network-connector", "--identifier", "vpc");
  expect(code).not.toBe(0);
  expect(stderr).toContain("(ResourceNotFoundException)");
  expect(stderr).toContain("Network connector not found: vpc");
});

test("errors reach the AWS CLI with their names and texts", { timeout: TIMEOUT_MS }, async () => {
  const { core, create } = await useCli();
  const bare = await core("create-network-connector", "--name", "x", "--configuration", JSON.stringify(VPC));
  expect(bare.stderr).toContain(
    "(InvalidParameterValueException) when calling the CreateNetworkConnector operation: NetworkConnectorOperatorRole is required for VPC_EGRESS connector type",
  );
  await create("vpc");
  expect((await create("vpc")).stderr).toContain("(ResourceConflictException)");
});

test("a policy on a connector's ARN binds whichever way the connector is named", { timeout: TIMEOUT_MS }, async () => {
  const { aws, create, roleKey } = await useCli();
  const { answer: one } = await create("one", "--tags", "team=a");
  const { answer: two } = await create("two");
  const key = await roleKey(
    "Reader",
    { Effect: "Allow", Action: "lambda:GetNetworkConnector", Resource: "*" },
    { Effect: "Deny", Action: "lambda:*", Resource: two.Arn },
    {
      Effect: "Allow",
      Action: "lambda:DeleteNetworkConnector",
      Resource: `arn:aws:lambda:${REGION}:${TEST_ACCOUNT}:network-connector:*`,
      Condition: { StringEquals: { "aws:ResourceTag/team": "a" } },
    },
  );
  for (const identifier of [two.Arn, `${two.Arn}:1`, two.Id, "two"]) {
    const { stderr } = await aws(["lambda-core", "get-network-connector", "--identifier", identifier], key);
    expect(stderr).toContain(`not authorized to perform: lambda:GetNetworkConnector on resource: ${two.Arn}`);
  }
  const read = await aws(["lambda-core", "get-network-connector", "--identifier", "one"], key);
  expect(read.answer).toMatchObject({ Arn: one.Arn });
  expect((await aws(["lambda-core", "delete-network-connector", "--identifier", "one"], key)).code).toBe(0);
});
