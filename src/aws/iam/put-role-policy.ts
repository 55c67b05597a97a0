import type { PutRolePolicyCommandInput } from "@aws-sdk/client-iam";
import { listRolePolicies, putRolePolicyRow } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { limitExceeded } from "./iam-faults.ts";
import { checkPolicyText, MAX_INLINE_POLICY_CHARACTERS, policySize } from "./policy-text.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function putRolePolicy({ store }: IamDependencies): Operation<PutRolePolicyCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const document = must(input.PolicyDocument, "a policy document");
      const policyName = must(input.PolicyName, "a policy name");
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      checkPolicyText(document, "identity");
      const others = (await listRolePolicies(db, { accountId: row.account_id, name: row.name })).filter(
        (policy) => policy.policy_name !== policyName,
      );
      const total = others.reduce((sum, policy) => sum + policySize(policy.document), policySize(document));
      if (total > MAX_INLINE_POLICY_CHARACTERS) {
        throw limitExceeded(
          `Maximum policy size of ${MAX_INLINE_POLICY_CHARACTERS} bytes exceeded for role ${row.name}`,
        );
      }
      await putRolePolicyRow(db, {
        account_id: row.account_id,
        role_name: row.name,
        policy_name: policyName,
        document,
      });
      return {};
    });
}
