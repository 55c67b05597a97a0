import { findRole, type RoleRow } from "../store/iam-store.ts";
import type { Store } from "../store/store.ts";
import { parseRoleArn } from "../model/arn.ts";
import type { AccessDecision } from "./authorizer.ts";
import type { PolicyContext } from "./policy-context.ts";
import { parsePolicy } from "./policy-document.ts";
import { evaluatePolicies, type AskingPrincipal, type PolicyAnswer } from "./policy.ts";
import type { Principal } from "./principal.ts";

/** The role of that ARN, whoever's account it is in; the ARN must name its path and its spelling. */
export async function findRoleByArn(store: Store, roleArn: string): Promise<RoleRow | undefined> {
  const arn = parseRoleArn(roleArn);
  const role = arn && (await findRole(store.db, arn));
  return role?.arn === roleArn ? role : undefined;
}

export type TrustDecision =
  /** "direct": the trust policy names the caller itself, so that the caller's own policies need not allow it too. */
  | { readonly allowed: true; readonly by: string; readonly direct: boolean }
  | Extract<AccessDecision, { allowed: false }>;

/** Whether the role's trust policy lets the caller in. */
export function checkTrust(role: RoleRow, principal: Principal, context: PolicyContext): TrustDecision {
  const names = directNames(principal);
  const everyName = [...names, principal.accountId, `arn:aws:iam::${principal.accountId}:root`, "*"];
  const answer = askTrust(role, { type: "AWS", names: everyName }, context);
  if (answer.effect !== "allow") return refusedBy(answer, "no statement of its trust policy allows sts:AssumeRole");
  const direct = askTrust(role, { type: "AWS", names }, context).effect === "allow";
  return { allowed: true, by: answer.because, direct };
}

/** Whether a service, such as lambda.amazonaws.com, may act in the role. */
export function checkServiceTrust(role: RoleRow, service: string, context: PolicyContext): AccessDecision {
  const answer = askTrust(role, { type: "Service", names: [service, "*"] }, context);
  if (answer.effect === "allow") return { allowed: true, by: answer.because };
  return refusedBy(answer, "no statement of its trust policy allows sts:AssumeRole");
}

function askTrust(role: RoleRow, principal: AskingPrincipal, context: PolicyContext): PolicyAnswer {
  const document = parsePolicy(role.trust_policy, "trust");
  return evaluatePolicies([{ name: "the trust policy", document }], { action: "sts:AssumeRole", principal, context });
}

/** The ARNs under which a policy may name this caller and nobody else of its account. */
function directNames(principal: Principal): string[] {
  const { identity, arn } = principal;
  if (principal.isAdministrator) return []; // the root's ARN speaks of the whole account
  return identity?.kind === "session" ? [arn, identity.roleArn] : [arn];
}

/** Says why a policy did not allow; `nothingAllows` when no statement came near. */
export function refusedBy(answer: PolicyAnswer, nothingAllows: string): { allowed: false; why: string } {
  if (answer.effect === "deny") return { allowed: false, why: `${answer.because} denies it` };
  return { allowed: false, why: answer.because === "" ? nothingAllows : answer.because };
}
