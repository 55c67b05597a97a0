import type { Principal } from "./principal.ts";

export interface Credential {
  readonly secretAccessKey: string;
  /** Requests of temporary credentials must carry it. */
  readonly sessionToken?: string;
  readonly principal: Principal;
}

/** The access keys that requests may be signed with. */
export interface CredentialStore {
  lookup(accessKeyId: string): Promise<Credential | undefined>;
}
