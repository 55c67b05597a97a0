import { parseRoleArn } from "../model/arn.ts";
import { findRole, listRolePolicies } from "../store/iam-store.ts";
import type { Store } from "../store/store.ts";
import type { AccessDecision, AccessRequest, Authorizer } from "./authorizer.ts";
import { parsePolicy } from "./policy-document.ts";
import { evaluatePolicies } from "./policy.ts";

/** The principal that acts in build and execution roles (contract 12). */
const SERVICE_PRINCIPAL = "lambda.amazonaws.com";

/** Decides by the roles on record: trust policy first, then the inline policies. */
export function createRoleAuthorizer({ store }: { store: Store }): Authorizer {
  return {
    async authorize(request) {
      const arn = parseRoleArn(request.roleArn);
      const role = arn && arn.accountId === request.accountId ? await findRole(store.db, arn) : undefined;
      if (!role || role.arn !== request.roleArn)
        return refused(`the role ${request.roleArn} does not exist in account ${request.accountId}`);
      const trust = checkTrust(role.trust_policy, request);
      if (!trust.allowed) return trust;
      const policies = await listRolePolicies(store.db, { accountId: role.account_id, name: role.name });
      return checkPermissions(policies, request);
    },
  };
}

function checkTrust(document: string, request: AccessRequest): AccessDecision {
  const answer = evaluatePolicies([{ name: "the trust policy", document: parsePolicy(document, "trust") }], {
    action: "sts:AssumeRole",
    principal: { type: "Service", names: [SERVICE_PRINCIPAL, "*"] },
    context: contextOf(request),
  });
  const what = `${SERVICE_PRINCIPAL} may not assume the role ${request.roleArn}`;
  return decide(answer, what, "no statement of its trust policy allows sts:AssumeRole");
}

function checkPermissions(
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
    context: contextOf(request),
  });
  const what = `${request.roleArn} is not authorized to perform ${request.action} on ${request.resource}`;
  return decide(answer, what, "no statement of the role's policies allows it");
}

function decide(answer: ReturnType<typeof evaluatePolicies>, what: string, nothingAllows: string): AccessDecision {
  switch (answer.effect) {
    case "allow":
      return { allowed: true, by: answer.because };
    case "deny":
      return refused(`${what}: ${answer.because} denies it`);
    case "none":
      return refused(`${what}: ${answer.because === "" ? nothingAllows : answer.because}`);
  }
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
