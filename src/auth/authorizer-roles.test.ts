import { expect, onTestFinished, test } from "vitest";
import { insertRole, putRolePolicyRow } from "../store/iam-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { createRoleAuthorizer } from "./authorizer-roles.ts";

const ACCOUNT = "123456789012";
const ROLE = `arn:aws:iam::${ACCOUNT}:role/BuildRole`;
const TRUST = {
  Effect: "Allow",
  Principal: { Service: "lambda.amazonaws.com" },
  Action: ["sts:AssumeRole", "sts:TagSession"],
};
const POLICY = { Sid: "Read", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/*" };

async function useAuthorizer({ trust = TRUST, policy = POLICY }: { trust?: object; policy?: object | null } = {}) {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  const text = (statement: object) => JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await insertRole(store.db, {
    account_id: ACCOUNT,
    name: "BuildRole",
    role_id: "AROAX",
    arn: ROLE,
    path: "/",
    trust_policy: text(trust),
    description: null,
    max_session_seconds: 3600,
    tags_json: "[]",
    created_at: 1,
  });
  if (policy)
    await putRolePolicyRow(store.db, {
      account_id: ACCOUNT,
      role_name: "BuildRole",
      policy_name: "P",
      document: text(policy),
    });
  return createRoleAuthorizer({ store });
}

const request = { roleArn: ROLE, accountId: ACCOUNT, action: "s3:GetObject", resource: "arn:aws:s3:::bucket/app.zip" };

test("a role that the service may assume and whose policy allows it is allowed, and says by what", async () => {
  const authorizer = await useAuthorizer();
  expect(await authorizer.authorize(request)).toEqual({ allowed: true, by: 'statement "Read" of inline policy "P"' });
});

test.each<[string, object, Parameters<typeof useAuthorizer>[0], string]>([
  ["an unknown role", { roleArn: `arn:aws:iam::${ACCOUNT}:role/Other` }, {}, "does not exist"],
  ["the right name under a wrong path", { roleArn: `arn:aws:iam::${ACCOUNT}:role/x/BuildRole` }, {}, "does not exist"],
  ["a role of another account", { accountId: "999999999999" }, {}, "does not exist in account 999999999999"],
  ["what is no role ARN", { roleArn: "BuildRole" }, {}, "does not exist"],
  [
    "a role for another service",
    {},
    { trust: { ...TRUST, Principal: { Service: "ec2.amazonaws.com" } } },
    "no statement of its trust policy allows sts:AssumeRole",
  ],
  ["a role with TagSession only", {}, { trust: { ...TRUST, Action: "sts:TagSession" } }, "may not assume the role"],
  ["a role without policies", {}, { policy: null }, "no statement of the role's policies allows it"],
  [
    "an object elsewhere",
    { resource: "arn:aws:s3:::other/app.zip" },
    {},
    "not authorized to perform s3:GetObject on arn:aws:s3:::other/app.zip",
  ],
  ["a denied action", {}, { policy: { ...POLICY, Effect: "Deny" } }, 'statement "Read" of inline policy "P" denies it'],
])("%s is refused with the reason", async (_title, change, setup, why) => {
  const authorizer = await useAuthorizer(setup);
  const decision = await authorizer.authorize({ ...request, ...change });
  expect(decision.allowed).toBe(false);
  expect(decision).toHaveProperty("why", expect.stringContaining(why));
});

test("trust conditions on the source account and the source ARN are evaluated", async () => {
  const condition = {
    StringEquals: { "aws:SourceAccount": ACCOUNT },
    ArnLike: { "aws:SourceArn": "arn:aws:lambda:*:*:microvm-image:*" },
  };
  const authorizer = await useAuthorizer({ trust: { ...TRUST, Condition: condition } });
  const sourceArn = `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:app`;
  expect((await authorizer.authorize({ ...request, sourceArn })).allowed).toBe(true);
  expect((await authorizer.authorize(request)).allowed).toBe(false);
});
