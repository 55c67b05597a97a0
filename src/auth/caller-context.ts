import type { Principal } from "./principal.ts";

/** Circumstances of a request that policies may ask for. */
export interface Circumstances {
  readonly region: string;
  readonly now: Date;
  readonly sourceAddress?: string;
  readonly userAgent?: string;
}

/** The condition keys that are the same whatever the request wants. */
export function callerContext(principal: Principal, circumstances: Circumstances): Map<string, string> {
  const { region, now, sourceAddress, userAgent } = circumstances;
  const { identity } = principal;
  const keys: [string, string | undefined][] = [
    ["aws:currenttime", now.toISOString()],
    ["aws:epochtime", String(Math.floor(now.getTime() / 1000))],
    ["aws:principalaccount", principal.accountId],
    ["aws:principalarn", identity?.kind === "session" ? identity.roleArn : principal.arn],
    ["aws:principalisawsservice", "false"],
    ["aws:principaltype", principalType(principal)],
    ["aws:requestedregion", region],
    ["aws:securetransport", "false"], // the API speaks plain HTTP on loopback
    ["aws:sourceip", sourceAddress],
    ["aws:tokenissuetime", identity?.kind === "session" ? identity.issuedAt.toISOString() : undefined],
    ["aws:useragent", userAgent],
    ["aws:userid", userIdOf(principal)],
    ["aws:username", identity?.kind === "user" ? identity.name : undefined],
  ];
  return new Map(keys.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The unique id that GetCallerIdentity answers: of the account, the user, or the role and its session. */
export function userIdOf(principal: Principal): string {
  const { identity } = principal;
  if (principal.isAdministrator) return principal.accountId;
  if (identity?.kind === "session") return `${identity.roleId}:${identity.sessionName}`;
  return identity?.userId ?? principal.accessKeyId;
}

function principalType({ isAdministrator, identity }: Principal): string {
  if (isAdministrator) return "Account";
  return identity?.kind === "session" ? "AssumedRole" : "User";
}
