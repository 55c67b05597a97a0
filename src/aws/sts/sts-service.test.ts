import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  type AssumeRoleCommandInput,
} from "@aws-sdk/client-sts";
import { CreateRoleCommand, DeleteRoleCommand, DeleteRolePolicyCommand, ListRolesCommand } from "@aws-sdk/client-iam";
import { expect, test } from "vitest";
import { ACCOUNT_TRUST, policyText, useAccount, type Key } from "../../../test/support/account.ts";
import { TEST_ACCOUNT, TEST_KEY } from "../../../test/support/api-endpoint.ts";
import type { CredentialStore } from "../../auth/credentials.ts";
import { parsePolicy } from "../../auth/policy-document.ts";

const OTHER_ACCOUNT = "999999999999";
const ALICE: Key = { accessKeyId: "AKIAALICEALICEALICE2", secretAccessKey: "alice's own secret" };
const STRANGER: Key = { accessKeyId: "AKIASTRANGERSTRANGER", secretAccessKey: "a stranger's secret" };
const LIST_ROLES = { Effect: "Allow", Action: "iam:ListRoles", Resource: "*" };

/** Alice, who may assume roles named App…, and the root of another account. */
const others: CredentialStore = {
  lookup: async (accessKeyId) => {
    if (accessKeyId === ALICE.accessKeyId) {
      const allowed = policyText({ Effect: "Allow", Action: "sts:AssumeRole", Resource: "arn:aws:iam::*:role/App*" });
      const policies = [{ name: "policy P of user alice", document: parsePolicy(allowed, "identity") }];
      return {
        secretAccessKey: ALICE.secretAccessKey,
        principal: {
          arn: `arn:aws:iam::${TEST_ACCOUNT}:user/alice`,
          accountId: TEST_ACCOUNT,
          accessKeyId,
          isAdministrator: false,
          identity: { kind: "user", name: "alice", userId: "AIDAALICE", policies },
        },
      };
    }
    if (accessKeyId !== STRANGER.accessKeyId) return undefined;
    const arn = `arn:aws:iam::${OTHER_ACCOUNT}:root`;
    return {
      secretAccessKey: STRANGER.secretAccessKey,
      principal: { arn, accountId: OTHER_ACCOUNT, accessKeyId, isAdministrator: true },
    };
  },
};

test("the root is known by its account id", async () => {
  const { sts } = await useAccount();
  expect(await sts().send(new GetCallerIdentityCommand({}))).toMatchObject({
    UserId: TEST_ACCOUNT,
    Account: TEST_ACCOUNT,
    Arn: `arn:aws:iam::${TEST_ACCOUNT}:root`,
  });
});

test("an assumed role has credentials of its own, with which the caller is the role's session", async () => {
  const { sts, makeRole } = await useAccount();
  const role = await makeRole("App");
  const answer = await sts().send(
    new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "deploy@ci", DurationSeconds: 900 }),
  );
  const { Credentials: made, AssumedRoleUser: user } = answer;
  expect(made?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
  expect(user?.Arn).toBe(`arn:aws:sts::${TEST_ACCOUNT}:assumed-role/App/deploy@ci`);
  expect(user?.AssumedRoleId).toMatch(/^AROA[A-Z2-7]{17}:deploy@ci$/);
  const secondsLeft = ((made?.Expiration?.getTime() ?? 0) - Date.now()) / 1000;
  expect(secondsLeft).toBeGreaterThan(880);
  expect(secondsLeft).toBeLessThanOrEqual(901);
  const key = {
    accessKeyId: made?.AccessKeyId ?? "",
    secretAccessKey: made?.SecretAccessKey ?? "",
    sessionToken: made?.SessionToken,
  };
  expect(await sts(key).send(new GetCallerIdentityCommand({}))).toMatchObject({
    Account: TEST_ACCOUNT,
    Arn: user?.Arn,
    UserId: user?.AssumedRoleId,
  });
});

test("temporary credentials need their session token and end at their time", async () => {
  const { sts, makeRole, assume, advance } = await useAccount();
  const { sessionToken, ...key } = await assume(await makeRole("App"), { DurationSeconds: 900 });
  const identify = (by: Key) => sts(by).send(new GetCallerIdentityCommand({}));
  await expect(identify(key)).rejects.toMatchObject({ name: "InvalidClientTokenId" });
  await expect(identify({ ...key, sessionToken: `${sessionToken}x` })).rejects.toMatchObject({
    name: "InvalidClientTokenId",
  });
  advance(899_000);
  await expect(identify({ ...key, sessionToken })).resolves.toBeDefined();
  advance(3_000);
  await expect(identify({ ...key, sessionToken })).rejects.toMatchObject({
    name: "ExpiredToken",
    $metadata: { httpStatusCode: 403 },
  });
});

test("the trust policy decides who comes in, and who it names needs no permission of their own", async () => {
  const { makeRole, assume } = await useAccount({ others });
  const aliceArn = `arn:aws:iam::${TEST_ACCOUNT}:user/alice`;
  const byAlice = (role: string) => assume(role, {}, ALICE);
  await byAlice(await makeRole("AppAccount"));
  await byAlice(await makeRole("NamesAlice", { trust: { ...ACCOUNT_TRUST, Principal: { AWS: aliceArn } } }));
  const denied = { name: "AccessDenied", $metadata: { httpStatusCode: 403 } };
  await expect(byAlice(await makeRole("Elsewhere"))).rejects.toMatchObject({
    ...denied,
    message: `User: ${aliceArn} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::${TEST_ACCOUNT}:role/Elsewhere because no identity-based policy allows the sts:AssumeRole action`,
  });
  const lambdaOnly = { ...ACCOUNT_TRUST, Principal: { Service: "lambda.amazonaws.com" } };
  await expect(byAlice(await makeRole("AppService", { trust: lambdaOnly }))).rejects.toMatchObject({
    ...denied,
    message: expect.stringContaining("no statement of its trust policy allows sts:AssumeRole"),
  });
  await expect(byAlice(`arn:aws:iam::${TEST_ACCOUNT}:role/AppMissing`)).rejects.toMatchObject(denied);
  await expect(assume(await makeRole("AppRoot", { trust: lambdaOnly }))).rejects.toMatchObject(denied);
});

test("conditions of a trust policy bind: the external id and the session's name", async () => {
  const { makeRole, assume } = await useAccount();
  const condition = { StringEquals: { "sts:ExternalId": "x-1" }, StringLike: { "sts:RoleSessionName": "ci-*" } };
  const role = await makeRole("App", { trust: { ...ACCOUNT_TRUST, Condition: condition } });
  await assume(role, { ExternalId: "x-1", RoleSessionName: "ci-7" });
  for (const change of [{ RoleSessionName: "ci-7" }, { ExternalId: "x-1", RoleSessionName: "me" }])
    await expect(assume(role, change)).rejects.toMatchObject({ name: "AccessDenied" });
});

test("another account comes in only where the trust policy lets it", async () => {
  const { makeRole, assume, sts } = await useAccount({ others });
  const open = await makeRole("App", { trust: { ...ACCOUNT_TRUST, Principal: { AWS: OTHER_ACCOUNT } } });
  const key = await assume(open, {}, STRANGER);
  expect(await sts(key).send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: TEST_ACCOUNT });
  const closed = await makeRole("AppClosed");
  const refusal = await assume(closed, {}, STRANGER).catch((error: unknown) => error);
  const missing = await assume(`${closed}2`, {}, STRANGER).catch((error: unknown) => error);
  expect(String(missing)).toBe(String(refusal).replace("AppClosed", "AppClosed2"));
});

test("a session has the role's permissions, narrowed by its own policy, until the role changes", async () => {
  const { iam, makeRole, assume, store } = await useAccount();
  const role = await makeRole("App", { allow: [LIST_ROLES] });
  const full = await assume(role);
  const narrow = await assume(role, { Policy: policyText({ ...LIST_ROLES, Action: "iam:GetRole" }) });
  const list = (key: Key) => iam(key).send(new ListRolesCommand({}));
  await expect(list(full)).resolves.toBeDefined();
  await expect(list(narrow)).rejects.toMatchObject({
    message: expect.stringContaining("because no session policy allows the iam:ListRoles action"),
  });
  await iam().send(new DeleteRolePolicyCommand({ RoleName: "App", PolicyName: "P" }));
  await expect(list(full)).rejects.toMatchObject({ name: "AccessDenied" });
  await iam().send(new DeleteRoleCommand({ RoleName: "App" }));
  const again = policyText(ACCOUNT_TRUST);
  await iam().send(new CreateRoleCommand({ RoleName: "App", AssumeRolePolicyDocument: again }));
  await store.db
    .insertInto("iam_role_policies")
    .values({ account_id: TEST_ACCOUNT, role_name: "App", policy_name: "P", document: policyText(LIST_ROLES) })
    .execute();
  await expect(list(full)).rejects.toMatchObject({ message: expect.stringContaining("no longer exists") });
});

test("a session may go on to another role, for an hour at most", async () => {
  const { makeRole, assume, roleKey } = await useAccount();
  const first = await roleKey("First", { Effect: "Allow", Action: "sts:AssumeRole", Resource: "*" });
  const byRole = {
    ...ACCOUNT_TRUST,
    Principal: { AWS: `arn:aws:iam::${TEST_ACCOUNT}:role/First` },
  };
  const second = await makeRole("Second", { trust: byRole, maxSeconds: 7200 });
  await assume(second, {}, first);
  await expect(assume(second, { DurationSeconds: 7200 }, first)).rejects.toMatchObject({ name: "ValidationError" });
});

test("what cannot be done is refused with the reason", async () => {
  const { makeRole, assume, sts } = await useAccount();
  const role = await makeRole("App");
  const cases: [Partial<AssumeRoleCommandInput>, string][] = [
    [{ DurationSeconds: 899 }, "greater than or equal to 900"],
    [{ DurationSeconds: 3601 }, "exceeds the MaxSessionDuration set for this role"],
    [{ RoleSessionName: "a b" }, "'roleSessionName' failed to satisfy constraint"],
    [{ RoleSessionName: undefined }, "'roleSessionName' failed to satisfy constraint"],
    [{ Tags: [{ Key: "a", Value: "b" }] }, "Tags: not supported by Catnap"],
    [{ TokenCode: "123456" }, "TokenCode: not supported by Catnap"],
  ];
  for (const [change, why] of cases)
    await expect(assume(role, change)).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining(why),
    });
  await expect(assume(role, { Policy: "{" })).rejects.toMatchObject({ name: "MalformedPolicyDocumentException" });
  await expect(sts(TEST_KEY).send(new GetSessionTokenCommand({}))).rejects.toMatchObject({ name: "AccessDenied" });
});
