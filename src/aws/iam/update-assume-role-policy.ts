import type { UpdateAssumeRolePolicyCommandInput } from "@aws-sdk/client-iam";
import { updateRole } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { checkTrustPolicyText } from "./policy-text.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function updateAssumeRolePolicy({
  store,
}: IamDependencies): Operation<UpdateAssumeRolePolicyCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const document = must(input.PolicyDocument, "a policy document");
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      checkTrustPolicyText(document);
      await updateRole(db, { accountId: row.account_id, name: row.name }, { trust_policy: document });
      return {};
    });
}
