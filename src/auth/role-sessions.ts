import { randomBytes } from "node:crypto";
import { roleSessionArn } from "../model/arn.ts";
import type { RoleRow } from "../store/iam-store.ts";
import { findMicrovmSession, findSession, insertSession, type SessionRow } from "../store/session-store.ts";
import type { Store } from "../store/store.ts";
import { newAccessKey } from "./access-key.ts";
import type { Credential, CredentialStore } from "./credentials.ts";
import { parsePolicy } from "./policy-document.ts";
import type { Principal } from "./principal.ts";

/** Of a session token, before encoding. */
const TOKEN_BYTES = 192;

export interface SessionRequest {
  readonly role: RoleRow;
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** Text of a policy that narrows the session. */
  readonly sessionPolicy?: string;
  /** Whose execution role it is; such a session is found again by `findOf`. */
  readonly microvmId?: string;
}

/** Temporary credentials as their user gets them. */
export interface RoleSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly arn: string;
  /** "AROA…:session name" */
  readonly userId: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** Sessions of roles: made here, kept in the store, so that they outlive the server. */
export interface RoleSessions extends CredentialStore {
  issue(request: SessionRequest): Promise<RoleSession>;
  /** The newest session of a microVM in that role, expired or not. */
  findOf(microvmId: string, role: RoleRow): Promise<RoleSession | undefined>;
}

export function createRoleSessions({
  store,
  now = Date.now,
}: {
  readonly store: Store;
  readonly now?: () => number;
}): RoleSessions {
  return {
    async issue(request) {
      const { accessKeyId, secretAccessKey } = newAccessKey("ASIA");
      const issuedAt = now();
      const row: SessionRow = {
        access_key_id: accessKeyId,
        secret_access_key: secretAccessKey,
        session_token: randomBytes(TOKEN_BYTES).toString("base64"),
        account_id: request.role.account_id,
        role_arn: request.role.arn,
        role_name: request.role.name,
        role_id: request.role.role_id,
        session_name: request.sessionName,
        session_policy: request.sessionPolicy ?? null,
        microvm_id: request.microvmId ?? null,
        issued_at: issuedAt,
        // whole seconds, as every answer spells it
        expires_at: Math.ceil(issuedAt / 1000 + request.durationSeconds) * 1000,
      };
      await insertSession(store.db, row);
      return sessionOf(row);
    },
    async findOf(microvmId, role) {
      const row = await findMicrovmSession(store.db, microvmId);
      return row && row.role_id === role.role_id ? sessionOf(row) : undefined;
    },
    async lookup(accessKeyId) {
      if (!accessKeyId.startsWith("ASIA")) return undefined;
      const row = await findSession(store.db, accessKeyId);
      return row && credentialOf(row);
    },
  };
}

function sessionOf(row: SessionRow): RoleSession {
  return {
    accessKeyId: row.access_key_id,
    secretAccessKey: row.secret_access_key,
    sessionToken: row.session_token,
    arn: arnOf(row),
    userId: `${row.role_id}:${row.session_name}`,
    issuedAt: new Date(row.issued_at),
    expiresAt: new Date(row.expires_at),
  };
}

function credentialOf(row: SessionRow): Credential {
  const principal: Principal = {
    arn: arnOf(row),
    accountId: row.account_id,
    accessKeyId: row.access_key_id,
    isAdministrator: false,
    identity: {
      kind: "session",
      role: { accountId: row.account_id, name: row.role_name },
      roleArn: row.role_arn,
      roleId: row.role_id,
      sessionName: row.session_name,
      issuedAt: new Date(row.issued_at),
      ...(row.session_policy !== null && {
        sessionPolicy: { name: "the session policy", document: parsePolicy(row.session_policy, "identity") },
      }),
    },
  };
  return {
    secretAccessKey: row.secret_access_key,
    sessionToken: row.session_token,
    expiresAt: new Date(row.expires_at),
    principal,
  };
}

function arnOf(row: SessionRow): string {
  return roleSessionArn({ accountId: row.account_id, roleName: row.role_name, sessionName: row.session_name });
}
