import { findRole, listRolePolicies, type RoleRow } from "../store/iam-store.ts";
import type { Store } from "../store/store.ts";
import { refusedBy } from "./assume-role.ts";
import type { AccessDecision } from "./authorizer.ts";
import { withKeys, type PolicyContext } from "./policy-context.ts";
import { roleTags } from "./role-tags.ts";
import { parsePolicy } from "./policy-document.ts";
import { evaluatePolicies, type NamedPolicy } from "./policy.ts";
import type { Principal, SessionIdentity } from "./principal.ts";

/** What a call wants to do. */
export interface CallerRequest {
  /** "s3:GetObject" */
  readonly action: string;
  readonly resource: string;
  readonly context: PolicyContext;
}

/** Whether one request is allowed; `why` of a refusal completes "… is not authorized to perform A on resource: R". */
export type CallerJudge = (request: CallerRequest) => AccessDecision;

/** Decides by the policies of who signed the request; the root of an account may do everything in it. */
export interface CallerAuthorizer {
  /** The judge of one call: its policies are those of now. */
  judgeOf(principal: Principal): Promise<CallerJudge>;
}

export function createCallerAuthorizer({ store }: { readonly store: Store }): CallerAuthorizer {
  return {
    async judgeOf({ isAdministrator, identity }) {
      if (isAdministrator) return () => ({ allowed: true, by: "the root of the account" });
      if (!identity) return () => ({ allowed: false, why: "because it has no identity with policies" });
      if (identity.kind === "user") return (request) => judge("identity-based", identity.policies, request);
      const role = await roleOf(store, identity);
      if (!role) {
        const why = `because the role ${identity.roleArn} of its session no longer exists`;
        return () => ({ allowed: false, why });
      }
      const policies = await policiesOf(store, role);
      const tags = roleTags(role, "aws:principaltag/");
      return (asked) => {
        const request = tags.length > 0 ? { ...asked, context: withKeys(asked.context, tags) } : asked;
        const byRole = judge("identity-based", policies, request);
        if (!byRole.allowed || !identity.sessionPolicy) return byRole;
        const bySession = judge("session", [identity.sessionPolicy], request);
        return bySession.allowed ? byRole : bySession;
      };
    },
  };
}

/** Undefined when the role is gone, also if another one has its name by now. */
async function roleOf(store: Store, { role: key, roleId }: SessionIdentity): Promise<RoleRow | undefined> {
  const role = await findRole(store.db, key);
  return role?.role_id === roleId ? role : undefined;
}

async function policiesOf(store: Store, role: RoleRow): Promise<NamedPolicy[]> {
  const rows = await listRolePolicies(store.db, { accountId: role.account_id, name: role.name });
  return rows.map((row) => ({
    name: `inline policy "${row.policy_name}" of role ${role.name}`,
    document: parsePolicy(row.document, "identity"),
  }));
}

/** The service's words, then what it leaves out: the policy and the statement. */
function judge(
  kind: "identity-based" | "session",
  policies: readonly NamedPolicy[],
  request: CallerRequest,
): AccessDecision {
  const answer = evaluatePolicies(policies, request);
  if (answer.effect === "allow") return { allowed: true, by: answer.because };
  const { why } = refusedBy(answer, "");
  if (answer.effect === "deny") {
    const article = kind === "session" ? "a" : "an";
    return { allowed: false, why: `with an explicit deny in ${article} ${kind} policy (${why})` };
  }
  const doubt = why === "" ? "" : ` (${why})`;
  return { allowed: false, why: `because no ${kind} policy allows the ${request.action} action${doubt}` };
}
