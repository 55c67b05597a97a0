import type { CredentialStore } from "./credentials.ts";
import type { Principal } from "./principal.ts";
import { readSigV4Claims } from "./sigv4-claims.ts";
import { sha256Hex } from "./sigv4-canonical.ts";
import { refuse, type SignedRequest, type SigV4Refusal } from "./sigv4-request.ts";
import { payloadMode, UNSIGNED_PAYLOAD } from "./signed-payload.ts";
import { verifySigV4, type SigningState } from "./sigv4.ts";

export interface Authenticated {
  readonly principal: Principal;
  /** From the credential scope. */
  readonly region: string;
  readonly signingName: string;
  readonly signing: SigningState;
  /** Value of `x-amz-content-sha256` that the signature covers; for S3, what the body must be checked against. */
  readonly contentSha256: string;
}

export interface AuthenticateOptions {
  readonly request: SignedRequest;
  readonly credentials: CredentialStore;
  /** Collects the whole body; asked by all services but S3, which signs a hash of it or says that it does not. */
  readonly readBody: (signingName: string) => Promise<Uint8Array>;
  readonly now: Date;
}

/** What the request says of itself, none of it proven, helps to answer and to record it. */
export interface Unauthenticated extends SigV4Refusal {
  readonly signingName?: string;
  readonly accessKeyId?: string;
}

/** Who signed the request, proven; the scope and the reason when that fails, so that each service can answer its own way. */
export async function authenticate(options: AuthenticateOptions): Promise<Authenticated | Unauthenticated> {
  const { request, credentials } = options;
  const claims = readSigV4Claims(request);
  if ("refused" in claims) return claims;
  const { signingName, region, accessKeyId } = claims;
  const claimed = { signingName, accessKeyId };
  const credential = await credentials.lookup(accessKeyId);
  if (!credential)
    return { ...refuse("unknown-key", "The security token included in the request is invalid."), ...claimed };
  const contentSha256 =
    signingName === "s3"
      ? s3PayloadHash(request, claims.expiresSeconds !== undefined)
      : sha256Hex(await options.readBody(signingName));
  if (contentSha256 === undefined) {
    return {
      ...refuse("malformed", "x-amz-content-sha256 must be the SHA-256 of the body or one of S3's payload words"),
      ...claimed,
    };
  }
  const signing = verifySigV4({ request, claims, credential, payloadHash: contentSha256, now: options.now });
  if ("refused" in signing) return { ...signing, ...claimed };
  return { principal: credential.principal, region, signingName, signing, contentSha256 };
}

function s3PayloadHash({ headers, query }: SignedRequest, isPresigned: boolean): string | undefined {
  const inQuery = query.find(([name]) => name === "X-Amz-Content-Sha256")?.[1];
  const value = headers["x-amz-content-sha256"] ?? inQuery ?? (isPresigned ? UNSIGNED_PAYLOAD : undefined);
  return value !== undefined && payloadMode(value) ? value : undefined;
}
