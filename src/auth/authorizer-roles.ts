import { listRolePolicies, type RoleRow } from "../store/iam-store.ts";
import type { Store } from "../store/store.ts";
import type { AccessDecision, AccessRequest, Authorizer } from "./authorizer.ts";
import { checkServiceTrust, findRoleByArn, refusedBy } from "./assume-role.ts";
import { parsePolicy } from "./policy-document.ts";
import { withHiddenTags, withKeys } from "./policy-context.ts";
import { evaluatePolicies } from "./policy.ts";
import { roleTags } from "./role-tags.ts";

/** The principal that acts in build and execution roles (contract 12). */
export const SERVICE_PRINCIPAL = "lambda.amazonaws.com";

/** Decides by the roles on record: trust policy first, then the inline policies. */
export function createRoleAuthorizer({ store }: { store: Store }): Authorizer {
  return {
    async authorize(request) {
      const role = await findRoleByArn(store, request.roleArn);
      if (role?.account_id !== request.accountId)
        return refused(`the role ${request.roleArn} does not exist in account ${request.accountId}`);
      const distrust = refuseTrust(role, request);
      if (distrust) return distrust;
      const policies = await listRolePolicies(store.db, { accountId: role.account_id, name: role.name });
      return checkPermissions(role, policies, request);
    },
  };
}

function refuseTrust(role: RoleRow, request: AccessRequest): AccessDecision | undefined {
  const trust = checkServiceTrust(role, SERVICE_PRINCIPAL, contextOf(request));
  if (trust.allowed) return undefined;
  return refused(`${SERVICE_PRINCIPAL} may not assume the role ${request.roleArn}: ${trust.why}`);
}

function checkPermissions(
  role: RoleRow,
  policies: readonly { policy_name: string; document: string }[],
  request: AccessRequest,
): AccessDecision {
  const named = policies.map((policy) => ({
    name: `inline policy "${policy.policy_name}"`,
    document: parsePolicy(policy.document, "identity"),
  }));
  const answer = evaluatePolicies(named, {
    action: request.action,
    resource: request.resource,
    context: withHiddenTags(withKeys(contextOf(request), roleTags(role, "aws:principaltag/"))),
  });
  if (answer.effect === "allow") return { allowed: true, by: answer.because };
  const { why } = refusedBy(answer, "no statement of the role's policies allows it");
  return refused(`${request.roleArn} is not authorized to perform ${request.action} on ${request.resource}: ${why}`);
}

function contextOf(request: AccessRequest): ReadonlyMap<string, string> {
  const keys = new Map([
    ["aws:sourceaccount", request.accountId],
    ["aws:principalaccount", request.accountId],
    ["aws:principalarn", request.roleArn],
    ["aws:principaltype", "AssumedRole"],
  ]);
  if (request.sourceArn !== undefined) keys.set("aws:sourcearn", request.sourceArn);
  return keys;
}

function refused(why: string): AccessDecision {
  return { allowed: false, why };
}
