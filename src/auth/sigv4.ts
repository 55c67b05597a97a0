import { createHmac, timingSafeEqual, type KeyObject } from "node:crypto";
import type { Credential } from "./credentials.ts";
import { canonicalRequest, sha256Hex } from "./sigv4-canonical.ts";
import { ALGORITHM, type SigV4Claims } from "./sigv4-claims.ts";
import { refuse, type SignedRequest, type SigV4Refusal } from "./sigv4-request.ts";
import { SigningKeys } from "./signing-keys.ts";

/** How far a client's clock may be off, either way. */
const MAX_SKEW_MS = 15 * 60 * 1000;

export interface VerifyOptions {
  readonly request: SignedRequest;
  readonly claims: SigV4Claims;
  readonly credential: Credential;
  /** Hex SHA-256 of the body, or S3's word for a body that is not covered or covered in chunks. */
  readonly payloadHash: string;
  readonly now: Date;
}

/** What later chunk signatures of the same request are made with. */
export interface SigningState {
  readonly key: KeyObject;
  readonly timestamp: string;
  readonly scope: string;
  readonly seedSignature: string;
}

/** Checks time, token and signature of a request; comparisons take the same time whatever differs. */
export function verifySigV4(options: VerifyOptions): SigningState | SigV4Refusal {
  const { request, claims, credential } = options;
  const untimely = checkTime(claims, options.now);
  if (untimely) return untimely;
  if (!equalSecrets(claims.sessionToken ?? "", credential.sessionToken ?? "")) {
    return refuse("invalid-token", "The security token included in the request is invalid.");
  }
  const isS3 = claims.signingName === "s3";
  const unsigned = isS3 ? unsignedAmzHeader(claims, request) : undefined;
  if (unsigned)
    return refuse("mismatch", `There were headers present in the request which were not signed: ${unsigned}`);
  const key = signingKeys.of(credential.secretAccessKey, claims);
  let canonical: string;
  try {
    canonical = canonicalRequest(request, {
      signedHeaders: claims.signedHeaders,
      payloadHash: options.payloadHash,
      isS3,
    });
  } catch (cause) {
    if (cause instanceof URIError) return refuse("mismatch", "The request path is not correctly percent-encoded.");
    throw cause;
  }
  const expected = signString(key, [ALGORITHM, claims.timestamp, claims.scope, sha256Hex(canonical)]);
  if (!equalSecrets(claims.signature, expected)) return refuse("mismatch", MISMATCH);
  // told only to who holds the secret
  if (credential.expiresAt && credential.expiresAt <= options.now)
    return refuse("expired-token", "The security token included in the request is expired");
  return { key, timestamp: claims.timestamp, scope: claims.scope, seedSignature: expected };
}

const signingKeys = new SigningKeys();

const MISMATCH =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.";

export function signString(key: KeyObject, lines: readonly string[]): string {
  return createHmac("sha256", key).update(lines.join("\n")).digest("hex");
}

export function equalSecrets(a: string, b: string): boolean {
  // Digests have one length, so timingSafeEqual never throws and the lengths of the secrets stay hidden.
  return timingSafeEqual(Buffer.from(sha256Hex(a)), Buffer.from(sha256Hex(b)));
}

function checkTime({ signedAt, timestamp, expiresSeconds }: SigV4Claims, now: Date): SigV4Refusal | undefined {
  const ageMs = now.getTime() - signedAt.getTime();
  const nowText = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  if (ageMs < -MAX_SKEW_MS)
    return refuse("skewed", `Signature not yet current: ${timestamp} is still later than ${nowText} (15 min.)`);
  if (expiresSeconds !== undefined)
    return ageMs > expiresSeconds * 1000 ? refuse("expired", "Request has expired") : undefined;
  if (ageMs > MAX_SKEW_MS)
    return refuse("skewed", `Signature expired: ${timestamp} is now earlier than ${nowText} (15 min.)`);
  return undefined;
}

/** S3 takes no instruction that the signature does not cover. */
function unsignedAmzHeader(
  { signedHeaders, expiresSeconds }: SigV4Claims,
  { headers }: SignedRequest,
): string | undefined {
  return Object.keys(headers).find(
    (name) =>
      name.startsWith("x-amz-") &&
      !signedHeaders.includes(name) &&
      // Presigned URLs carry these two in the query; some clients repeat them as headers.
      !(expiresSeconds !== undefined && (name === "x-amz-content-sha256" || name === "x-amz-date")),
  );
}
