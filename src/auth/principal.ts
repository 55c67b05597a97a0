import type { RoleKey } from "../store/iam-store.ts";
import type { NamedPolicy } from "./policy.ts";

/** Who signed a request. */
export interface Principal {
  /** "arn:aws:iam::123456789012:root", a user, or a role session. */
  readonly arn: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  /** The root of an account may do everything in it. */
  readonly isAdministrator: boolean;
  /** What gives everybody else their permissions; without it they have none. */
  readonly identity?: Identity;
}

export type Identity = UserIdentity | SessionIdentity;

/** A user of the accounts file. */
export interface UserIdentity {
  readonly kind: "user";
  readonly name: string;
  /** "AIDA…", the same at every start. */
  readonly userId: string;
  readonly policies: readonly NamedPolicy[];
}

/** Temporary credentials of a role; its policies are read at each call, so that a change binds at once. */
export interface SessionIdentity {
  readonly kind: "session";
  readonly role: RoleKey;
  readonly roleArn: string;
  readonly roleId: string;
  readonly sessionName: string;
  readonly issuedAt: Date;
  /** Allows nothing by itself: what it does not allow, the role's policies cannot. */
  readonly sessionPolicy?: NamedPolicy;
}
