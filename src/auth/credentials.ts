import type { Principal } from "./principal.ts";

export interface Credential {
  readonly secretAccessKey: string;
  /** Requests of temporary credentials must carry it. */
  readonly sessionToken?: string;
  /** When temporary credentials end. */
  readonly expiresAt?: Date;
  readonly principal: Principal;
}

/** The access keys that requests may be signed with. */
export interface CredentialStore {
  lookup(accessKeyId: string): Promise<Credential | undefined>;
}

/** Asks one store after the other; each knows keys of its own. */
export function joinCredentials(stores: readonly CredentialStore[]): CredentialStore {
  return {
    async lookup(accessKeyId) {
      for (const store of stores) {
        const credential = await store.lookup(accessKeyId);
        if (credential) return credential;
      }
      return undefined;
    },
  };
}
