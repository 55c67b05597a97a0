/** A port scope of CreateMicrovmAuthToken (contract 6.2). */
export type PortScope =
  | { readonly port: number }
  | { readonly range: { readonly startPort: number; readonly endPort: number } }
  | { readonly allPorts: Record<string, never> };

export interface TokenClaims {
  readonly microvmId: string;
  /** "browser" is what the endpoint's cookie carries, and counts nowhere else. */
  readonly kind: "http" | "shell" | "browser";
  readonly ports: readonly PortScope[];
  readonly expiresAt: Date;
}

/** Mints and opens endpoint tokens: compact JWE, alg dir, enc A256GCM, kid (contract 6.2). */
export interface EndpointTokens {
  mint(claims: TokenClaims): Promise<string>;
  /** The claims of a genuine token, expired or not; undefined for anything else. At once for one that was opened before. */
  open(token: string): TokenClaims | undefined | Promise<TokenClaims | undefined>;
}
