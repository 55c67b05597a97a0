import type { AssumeRoleCommandInput, AssumeRoleCommandOutput } from "@aws-sdk/client-sts";
import { checkTrust, findRoleByArn } from "../../auth/assume-role.ts";
import type { CallerAuthorizer } from "../../auth/caller-authorizer.ts";
import { callerContext } from "../../auth/caller-context.ts";
import { parsePolicy, PolicySyntaxError } from "../../auth/policy-document.ts";
import type { RoleSessions } from "../../auth/role-sessions.ts";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { RoleRow } from "../../store/iam-store.ts";
import type { Store } from "../../store/store.ts";
import { must } from "../../util/assert.ts";
import { notAuthorized } from "../not-authorized.ts";
import type { Operation, OperationContext } from "../service.ts";
import { checkAssumeRole, stsValidation } from "./sts-constraints.ts";

export interface AssumeRoleTools {
  readonly store: Store;
  readonly sessions: RoleSessions;
  readonly authorizer: CallerAuthorizer;
  readonly now: () => Date;
}

const ACTION = "sts:AssumeRole";
const DEFAULT_SECONDS = 3600;
/** For a session that is made by a session, whatever the role allows. */
const MAX_CHAINED_SECONDS = 3600;

/** Members that would change what the session may do, so that leaving them out of account is no option. */
const UNSUPPORTED = ["PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "SourceIdentity"] as const;

export function assumeRole(
  tools: AssumeRoleTools,
): Operation<AssumeRoleCommandInput, Omit<AssumeRoleCommandOutput, "$metadata">> {
  return async (input, context) => {
    checkAssumeRole(input);
    refuseUnsupported(input);
    const roleArn = must(input.RoleArn, "a role ARN");
    const sessionName = must(input.RoleSessionName, "a session name");
    const role = await findRoleByArn(tools.store, roleArn);
    if (!role) throw notAuthorized("awsQuery", context.principal, { action: ACTION, resource: roleArn });
    await requireTrust(tools, role, input, context);
    const durationSeconds = checkDuration(role, input.DurationSeconds, context);
    checkSessionPolicy(input.Policy);
    const session = await tools.sessions.issue({ role, sessionName, durationSeconds, sessionPolicy: input.Policy });
    return {
      Credentials: {
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        SessionToken: session.sessionToken,
        Expiration: session.expiresAt,
      },
      AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
    };
  };
}

/** The role's trust policy, and the caller's own policies where the trust policy does not name the caller itself. */
async function requireTrust(
  { authorizer, now }: AssumeRoleTools,
  role: RoleRow,
  input: AssumeRoleCommandInput,
  context: OperationContext,
): Promise<void> {
  const { principal } = context;
  const keys = callerContext(principal, { ...context, now: now() });
  keys.set("sts:rolesessionname", must(input.RoleSessionName, "a session name"));
  if (input.ExternalId !== undefined) keys.set("sts:externalid", input.ExternalId);
  const request = { action: ACTION, resource: role.arn };
  const trust = checkTrust(role, principal, keys);
  const isOwn = role.account_id === principal.accountId;
  // a stranger learns nothing of another account's roles
  if (!trust.allowed)
    throw notAuthorized("awsQuery", principal, { ...request, why: isOwn ? `because ${trust.why}` : undefined });
  if (trust.direct && isOwn) return;
  const judge = await authorizer.judgeOf(principal);
  const decision = judge({ ...request, context: keys });
  if (!decision.allowed) throw notAuthorized("awsQuery", principal, { ...request, why: decision.why });
}

function checkDuration(role: RoleRow, asked: number | undefined, { principal }: OperationContext): number {
  const isChained = principal.identity?.kind === "session";
  if (isChained && asked !== undefined && asked > MAX_CHAINED_SECONDS)
    throw stsValidation(
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  if (asked !== undefined && asked > role.max_session_seconds)
    throw stsValidation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  return asked ?? DEFAULT_SECONDS;
}

function checkSessionPolicy(text: string | undefined): void {
  if (text === undefined) return;
  try {
    parsePolicy(text, "identity");
  } catch (cause) {
    if (!(cause instanceof PolicySyntaxError)) throw cause;
    throw new ServiceFault("MalformedPolicyDocumentException", cause.message, { cause });
  }
}

function refuseUnsupported(input: AssumeRoleCommandInput): void {
  const given = UNSUPPORTED.filter((name) => input[name] !== undefined);
  if (given.length > 0)
    throw stsValidation(`${given.join(", ")}: not supported by Catnap; call AssumeRole without, or with Policy`);
}
