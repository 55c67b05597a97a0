import { roleArn } from "../../model/arn.ts";
import { onAnything, type PermissionRule, type PermissionTable } from "./permission.ts";

function onRole(action: string): PermissionRule {
  return async ({ RoleName }, { accountId, roleArn: find }) => {
    const name = typeof RoleName === "string" ? RoleName : "";
    const resource = (await find(name)) ?? roleArn({ accountId, path: "/", name });
    return [{ action: `iam:${action}`, resource }];
  };
}

const createRole: PermissionRule = ({ RoleName, Path }, { accountId }) => [
  {
    action: "iam:CreateRole",
    resource: roleArn({ accountId, path: typeof Path === "string" ? Path : "/", name: String(RoleName ?? "") }),
  },
];

export const IAM_PERMISSIONS: PermissionTable = {
  CreateRole: createRole,
  GetRole: onRole("GetRole"),
  ListRoles: onAnything("iam:ListRoles"),
  DeleteRole: onRole("DeleteRole"),
  UpdateRole: onRole("UpdateRole"),
  UpdateAssumeRolePolicy: onRole("UpdateAssumeRolePolicy"),
  PutRolePolicy: onRole("PutRolePolicy"),
  GetRolePolicy: onRole("GetRolePolicy"),
  ListRolePolicies: onRole("ListRolePolicies"),
  DeleteRolePolicy: onRole("DeleteRolePolicy"),
  TagRole: onRole("TagRole"),
  UntagRole: onRole("UntagRole"),
  ListRoleTags: onRole("ListRoleTags"),
  ListAttachedRolePolicies: onRole("ListAttachedRolePolicies"),
  ListInstanceProfilesForRole: onRole("ListInstanceProfilesForRole"),
};
