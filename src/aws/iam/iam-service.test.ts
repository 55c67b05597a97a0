import * as schemas from "@aws-sdk/client-iam";
import { expect, onTestFinished, test } from "vitest";
import { ACCOUNT, CONTEXT } from "../../../test/fixtures/use-lambda-microvms.ts";
import { openSqliteStore } from "../../store/sqlite/sqlite-store.ts";
import { operationNames } from "../operation-names.ts";
import type { OperationContext } from "../service.ts";
import { createIamService } from "./iam-service.ts";

const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: ["sts:AssumeRole", "sts:TagSession"] },
  ],
});
const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" }],
});

function useIam() {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  const service = createIamService({ store, now: () => Date.parse("2026-11-20T12:00:00Z") });
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read members of many output types
  return async (name: string, input: object = {}, context: Partial<OperationContext> = {}): Promise<any> =>
    service.operations[name]?.(input, { ...CONTEXT, ...context });
}

const role = (change: object = {}) => ({ RoleName: "BuildRole", AssumeRolePolicyDocument: TRUST, ...change });
const policy = { RoleName: "BuildRole", PolicyName: "P", PolicyDocument: POLICY };

test("a role is made, read, changed, listed and deleted", async () => {
  const call = useIam();
  const { Role } = await call("CreateRole", role({ Path: "/ci/", Description: "d", Tags: [{ Key: "a", Value: "1" }] }));
  expect(Role).toMatchObject({
    RoleName: "BuildRole",
    Path: "/ci/",
    Arn: `arn:aws:iam::${ACCOUNT}:role/ci/BuildRole`,
    RoleId: expect.stringMatching(/^AROA/),
    MaxSessionDuration: 3600,
    Description: "d",
    Tags: [{ Key: "a", Value: "1" }],
    CreateDate: new Date("2026-11-20T12:00:00Z"),
  });
  expect(Role.AssumeRolePolicyDocument).not.toMatch(/[{}"'()*! ]/);
  expect(decodeURIComponent(Role.AssumeRolePolicyDocument)).toBe(TRUST);
  await call("UpdateRole", { RoleName: "BuildRole", MaxSessionDuration: 7200 });
  const other = TRUST.replace("lambda", "ec2");
  await call("UpdateAssumeRolePolicy", { RoleName: "BuildRole", PolicyDocument: other });
  const read = (await call("GetRole", { RoleName: "buildrole" })).Role;
  expect(read).toMatchObject({ RoleName: "BuildRole", MaxSessionDuration: 7200, Description: "d" });
  expect(decodeURIComponent(read.AssumeRolePolicyDocument)).toBe(other);
  expect((await call("ListRoles")).Roles).toHaveLength(1);
  expect((await call("ListRoles", { PathPrefix: "/other/" })).Roles).toEqual([]);
  expect((await call("ListRoles", {}, { accountId: "999999999999" })).Roles).toEqual([]);
  await call("DeleteRole", { RoleName: "BuildRole" });
  await expect(call("GetRole", { RoleName: "BuildRole" })).rejects.toMatchObject({
    shape: "NoSuchEntityException",
    message: "The role with name BuildRole cannot be found.",
  });
});

test("inline policies are put, read URL-encoded, replaced, listed and deleted before the role", async () => {
  const call = useIam();
  await call("CreateRole", role());
  await call("PutRolePolicy", policy);
  await call("PutRolePolicy", policy);
  expect(await call("ListRolePolicies", { RoleName: "BuildRole" })).toEqual({ PolicyNames: ["P"], IsTruncated: false });
  const read = await call("GetRolePolicy", { RoleName: "BuildRole", PolicyName: "P" });
  expect(decodeURIComponent(read.PolicyDocument)).toBe(POLICY);
  expect(await call("ListAttachedRolePolicies", { RoleName: "BuildRole" })).toEqual({
    AttachedPolicies: [],
    IsTruncated: false,
  });
  expect(await call("ListInstanceProfilesForRole", { RoleName: "BuildRole" })).toEqual({
    InstanceProfiles: [],
    IsTruncated: false,
  });
  await expect(call("DeleteRole", { RoleName: "BuildRole" })).rejects.toMatchObject({
    shape: "DeleteConflictException",
    message: "Cannot delete entity, must delete policies first.",
  });
  await call("DeleteRolePolicy", { RoleName: "BuildRole", PolicyName: "P" });
  await expect(call("DeleteRolePolicy", { RoleName: "BuildRole", PolicyName: "P" })).rejects.toMatchObject({
    shape: "NoSuchEntityException",
    message: "The role policy with name P cannot be found.",
  });
  await call("DeleteRole", { RoleName: "BuildRole" });
});

test.each<[string, object, string, string]>([
  ["CreateRole", role(), "EntityAlreadyExistsException", "Role with name BuildRole already exists."],
  [
    "CreateRole",
    role({ RoleName: "BUILDROLE" }),
    "EntityAlreadyExistsException",
    "Role with name BUILDROLE already exists.",
  ],
  [
    "CreateRole",
    role({ RoleName: "a b" }),
    "ValidationError",
    "Value at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
  ],
  [
    "CreateRole",
    role({ RoleName: "x".repeat(65) }),
    "ValidationError",
    "Member must have length less than or equal to 64",
  ],
  ["CreateRole", { RoleName: "New" }, "ValidationError", "Value null at 'assumeRolePolicyDocument'"],
  ["CreateRole", role({ RoleName: "New", Path: "ci" }), "ValidationError", "'path'"],
  [
    "CreateRole",
    role({ RoleName: "New", MaxSessionDuration: 60 }),
    "ValidationError",
    "Member must have value greater than or equal to 3600",
  ],
  [
    "CreateRole",
    role({ RoleName: "New", AssumeRolePolicyDocument: "trust-policy.json" }),
    "MalformedPolicyDocumentException",
    "This policy contains invalid Json",
  ],
  [
    "CreateRole",
    role({ RoleName: "New", AssumeRolePolicyDocument: POLICY }),
    "MalformedPolicyDocumentException",
    "Has prohibited field Resource",
  ],
  [
    "CreateRole",
    role({ RoleName: "New", PermissionsBoundary: "arn:aws:iam::aws:policy/X" }),
    "InvalidInputException",
    "not supported",
  ],
  [
    "CreateRole",
    role({
      RoleName: "New",
      Tags: [
        { Key: "a", Value: "" },
        { Key: "A", Value: "" },
      ],
    }),
    "InvalidInputException",
    "Duplicate tag keys found",
  ],
  [
    "PutRolePolicy",
    { ...policy, PolicyDocument: TRUST },
    "MalformedPolicyDocumentException",
    "Policy statement must contain resources.",
  ],
  [
    "PutRolePolicy",
    { ...policy, RoleName: "None" },
    "NoSuchEntityException",
    "The role with name None cannot be found.",
  ],
  [
    "PutRolePolicy",
    { ...policy, PolicyDocument: POLICY.replace("b/*", "x".repeat(11_000)) },
    "LimitExceededException",
    "Maximum policy size of 10240 bytes exceeded for role BuildRole",
  ],
  [
    "UpdateAssumeRolePolicy",
    { RoleName: "BuildRole", PolicyDocument: TRUST.replace("lambda", "x".repeat(5000)) },
    "LimitExceededException",
    "Cannot exceed quota for ACLSizePerRole: 4096",
  ],
  ["ListRoles", { Marker: "x" }, "ValidationError", "Invalid Marker"],
  [
    "AttachRolePolicy",
    { RoleName: "BuildRole", PolicyArn: "arn:aws:iam::aws:policy/X" },
    "InvalidInputException",
    "AttachRolePolicy is not supported by Catnap",
  ],
])("%s %j is refused as %s", async (operation, input, shape, message) => {
  const call = useIam();
  await call("CreateRole", role());
  await expect(call(operation, input)).rejects.toMatchObject({ shape, message: expect.stringContaining(message) });
});

test("tags are merged and removed whatever the case of their keys", async () => {
  const call = useIam();
  await call("CreateRole", role({ Tags: [{ Key: "Team", Value: "a" }] }));
  await call("TagRole", {
    RoleName: "BuildRole",
    Tags: [
      { Key: "team", Value: "b" },
      { Key: "env", Value: "x" },
    ],
  });
  expect((await call("ListRoleTags", { RoleName: "BuildRole" })).Tags).toEqual([
    { Key: "env", Value: "x" },
    { Key: "team", Value: "b" },
  ]);
  await call("UntagRole", { RoleName: "BuildRole", TagKeys: ["TEAM"] });
  expect((await call("GetRole", { RoleName: "BuildRole" })).Role.Tags).toEqual([{ Key: "env", Value: "x" }]);
});

test("lists are paged by marker", async () => {
  const call = useIam();
  for (const RoleName of ["c", "a", "b"]) await call("CreateRole", role({ RoleName }));
  const seen: string[] = [];
  let Marker: string | undefined;
  do {
    const page = await call("ListRoles", { MaxItems: 2, Marker });
    seen.push(...page.Roles.map((item: { RoleName: string }) => item.RoleName));
    expect(page.IsTruncated).toBe(page.Marker !== undefined);
    Marker = page.Marker;
  } while (Marker !== undefined);
  expect(seen).toEqual(["a", "b", "c"]);
});

test("every operation of the SDK answers something", () => {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  expect(Object.keys(createIamService({ store }).operations).toSorted()).toEqual(operationNames(schemas).toSorted());
});
