import { openAccountKeys } from "../auth/account-keys.ts";
import { openBootstrapCredentials, type BootstrapKey } from "../auth/bootstrap-credentials.ts";
import { createCallerAuthorizer, type CallerAuthorizer } from "../auth/caller-authorizer.ts";
import { joinCredentials, type CredentialStore } from "../auth/credentials.ts";
import { createRoleSessions, type RoleSessions } from "../auth/role-sessions.ts";
import type { CallAuthorizer } from "../aws/call-access.ts";
import { createCallAuthorizer } from "../aws/permissions/call-authorizer.ts";
import { AuditLog } from "../observability/audit-log.ts";
import type { House } from "./house.ts";

/** Who may call, what they may do, and the record of what they did. */
export interface Access {
  readonly credentials: CredentialStore;
  readonly bootstrapKey: BootstrapKey;
  readonly sessions: RoleSessions;
  /** Judges one permission at a time. */
  readonly callers: CallerAuthorizer;
  /** Judges whole calls. */
  readonly authorizer: CallAuthorizer;
  readonly audit: AuditLog;
}

export async function openAccess({ config, paths, store, log, cleanup }: House): Promise<Access> {
  const bootstrap = await openBootstrapCredentials(paths.home, config.accountId);
  const sessions = createRoleSessions({ store });
  const callers = createCallerAuthorizer({ store });
  const audit = new AuditLog({
    file: paths.auditLog,
    onError: (cause) => log.error({ err: cause }, "the audit log cannot be written"),
  });
  cleanup.add(() => audit.close());
  return {
    credentials: joinCredentials([bootstrap.store, sessions, await openAccountKeys(config.accountsFile)]),
    bootstrapKey: bootstrap.key,
    sessions,
    callers,
    authorizer: createCallAuthorizer({ store, authorizer: callers }),
    audit,
  };
}
