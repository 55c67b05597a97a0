import type { GetRolePolicyCommandInput, GetRolePolicyCommandOutput } from "@aws-sdk/client-iam";
import { findRolePolicy } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { noSuchRolePolicy } from "./iam-faults.ts";
import { encodePolicyText } from "./policy-text.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function getRolePolicy({
  store,
}: IamDependencies): Operation<GetRolePolicyCommandInput, Omit<GetRolePolicyCommandOutput, "$metadata">> {
  return async (input, context) => {
    const row = await requireRole(store.db, context, must(input.RoleName, "a role name"));
    const policyName = must(input.PolicyName, "a policy name");
    const policy = await findRolePolicy(store.db, { accountId: row.account_id, name: row.name }, policyName);
    if (!policy) throw noSuchRolePolicy(policyName);
    return { RoleName: row.name, PolicyName: policy.policy_name, PolicyDocument: encodePolicyText(policy.document) };
  };
}
