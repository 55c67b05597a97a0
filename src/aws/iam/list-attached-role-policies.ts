import type { ListAttachedRolePoliciesCommandInput, ListAttachedRolePoliciesCommandOutput } from "@aws-sdk/client-iam";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

/** Always empty: there are no managed policies here, but tools ask before they delete a role. */
export function listAttachedRolePolicies({
  store,
}: IamDependencies): Operation<
  ListAttachedRolePoliciesCommandInput,
  Omit<ListAttachedRolePoliciesCommandOutput, "$metadata">
> {
  return async (input, context) => {
    await requireRole(store.db, context, must(input.RoleName, "a role name"));
    return { AttachedPolicies: [], IsTruncated: false };
  };
}
