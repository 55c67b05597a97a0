import type { ListRolePoliciesCommandInput, ListRolePoliciesCommandOutput } from "@aws-sdk/client-iam";
import { listRolePolicies as listRolePolicyRows } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { markerPage } from "./marker-page.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function listRolePolicies({
  store,
}: IamDependencies): Operation<ListRolePoliciesCommandInput, Omit<ListRolePoliciesCommandOutput, "$metadata">> {
  return async (input, context) => {
    const row = await requireRole(store.db, context, must(input.RoleName, "a role name"));
    const key = { accountId: row.account_id, name: row.name };
    const { items, ...rest } = await markerPage(
      input,
      ["ListRolePolicies", key.accountId, row.role_id],
      (page) => listRolePolicyRows(store.db, key, page),
      (policy) => policy.policy_name,
    );
    return { PolicyNames: items.map((policy) => policy.policy_name), ...rest };
  };
}
