import { checkServiceTrust, findRoleByArn } from "../auth/assume-role.ts";
import { SERVICE_PRINCIPAL } from "../auth/authorizer-roles.ts";
import type { RoleSession, RoleSessions } from "../auth/role-sessions.ts";
import type { RoleRow } from "../store/iam-store.ts";
import type { Store } from "../store/store.ts";
import type { Guest } from "./guest-directory.ts";

interface Terms {
  readonly seconds: number;
  /** Left when new ones are issued. */
  readonly renewMs: number;
}

/** Contract 9. SDKs look for new credentials a quarter of an hour before the end, so new ones are there by then. */
const OF_RUN: Terms = { seconds: 55 * 60, renewMs: 20 * 60 * 1000 };
/**
 * An SDK keeps those that it has, so a clone goes on with what is in its snapshot. It is to turn to its own soon: botocore
 * keeps even the shortest for five minutes, and others for less.
 */
const OF_BUILD: Terms = { seconds: 6 * 60, renewMs: 5.5 * 60 * 1000 };

export type RoleCredentials = RoleSession | { readonly refused: string };

export interface RoleCredentialsOptions {
  readonly store: Store;
  readonly sessions: RoleSessions;
  readonly now?: () => number;
  /** Told of each new session. */
  readonly onIssued?: (guest: Guest, session: RoleSession) => void;
}

/**
 * The credentials of execution roles, and of build roles during a build: one session a microVM, renewed in time, the same
 * for all who ask meanwhile.
 */
export function createRoleCredentials(options: RoleCredentialsOptions): (guest: Guest) => Promise<RoleCredentials> {
  const { store, sessions, now = Date.now, onIssued = () => {} } = options;
  const underWay = new Map<string, Promise<RoleCredentials>>();

  async function find(guest: Guest): Promise<RoleCredentials> {
    const role = await findRoleByArn(store, guest.executionRoleArn ?? "");
    if (role?.account_id !== guest.accountId) return { refused: `The role ${guest.executionRoleArn} does not exist.` };
    const distrust = whyNot(role, guest);
    if (distrust !== undefined) return { refused: distrust };
    const present = await sessions.findOf(guest.microvmId, role);
    const terms = guest.isOfBuild === true ? OF_BUILD : OF_RUN;
    if (present && present.expiresAt.getTime() - now() > terms.renewMs) return present;
    const session = await sessions.issue({
      role,
      sessionName: guest.microvmId,
      durationSeconds: terms.seconds,
      microvmId: guest.microvmId,
    });
    onIssued(guest, session);
    return session;
  }

  return (guest) => {
    const waiting = underWay.get(guest.microvmId);
    if (waiting) return waiting;
    const found = find(guest).finally(() => underWay.delete(guest.microvmId));
    underWay.set(guest.microvmId, found);
    return found;
  };
}

function whyNot(role: RoleRow, guest: Guest): string | undefined {
  const context = new Map([
    ["aws:sourceaccount", guest.accountId],
    ["aws:sourcearn", guest.imageArn],
  ]);
  const trust = checkServiceTrust(role, SERVICE_PRINCIPAL, context);
  return trust.allowed ? undefined : `${SERVICE_PRINCIPAL} may not assume the role ${role.arn}: ${trust.why}.`;
}
