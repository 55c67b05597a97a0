import type { DeleteRolePolicyCommandInput } from "@aws-sdk/client-iam";
import { deleteRolePolicyRow } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { noSuchRolePolicy } from "./iam-faults.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function deleteRolePolicy({
  store,
}: IamDependencies): Operation<DeleteRolePolicyCommandInput, Record<string, never>> {
  return async (input, context) => {
    const row = await requireRole(store.db, context, must(input.RoleName, "a role name"));
    const policyName = must(input.PolicyName, "a policy name");
    const wasThere = await deleteRolePolicyRow(store.db, { accountId: row.account_id, name: row.name }, policyName);
    if (!wasThere) throw noSuchRolePolicy(policyName);
    return {};
  };
}
