import type { SigV4Refusal, SigV4RefusalReason } from "../auth/sigv4-request.ts";
import { ServiceFault } from "../errors/service-fault.ts";
import type { WireProtocol } from "./service.ts";

type Naming = Readonly<Record<SigV4RefusalReason, string>>;

const JSON_NAMES: Naming = {
  missing: "MissingAuthenticationTokenException",
  unsupported: "IncompleteSignatureException",
  malformed: "IncompleteSignatureException",
  "unknown-key": "UnrecognizedClientException",
  "invalid-token": "UnrecognizedClientException",
  "expired-token": "ExpiredTokenException",
  skewed: "InvalidSignatureException",
  expired: "InvalidSignatureException",
  mismatch: "InvalidSignatureException",
};

/** Each family of services has its own names for one and the same refusal. */
const NAMES: Readonly<Record<WireProtocol, Naming>> = {
  restJson1: JSON_NAMES,
  awsJson1_1: JSON_NAMES,
  awsQuery: {
    missing: "MissingAuthenticationToken",
    unsupported: "IncompleteSignature",
    malformed: "IncompleteSignature",
    "unknown-key": "InvalidClientTokenId",
    "invalid-token": "InvalidClientTokenId",
    "expired-token": "ExpiredToken",
    skewed: "SignatureDoesNotMatch",
    expired: "SignatureDoesNotMatch",
    mismatch: "SignatureDoesNotMatch",
  },
  restXml: {
    missing: "AccessDenied",
    unsupported: "InvalidRequest",
    malformed: "AuthorizationHeaderMalformed",
    "unknown-key": "InvalidAccessKeyId",
    "invalid-token": "InvalidToken",
    "expired-token": "ExpiredToken",
    skewed: "RequestTimeTooSkewed",
    expired: "AccessDenied",
    mismatch: "SignatureDoesNotMatch",
  },
};

/** S3's own wording where clients match on it. */
const S3_MESSAGES: Partial<Naming> = {
  missing: "Access Denied",
  "unknown-key": "The AWS Access Key Id you provided does not exist in our records.",
  skewed: "The difference between the request time and the current time is too large.",
  "invalid-token": "The provided token is malformed or otherwise invalid.",
  "expired-token": "The provided token has expired.",
};

const S3_BAD_REQUESTS: ReadonlySet<SigV4RefusalReason> = new Set([
  "unsupported",
  "malformed",
  "invalid-token",
  "expired-token",
]);

export function authFault(protocol: WireProtocol, { refused, message }: SigV4Refusal): ServiceFault {
  const isS3 = protocol === "restXml";
  const isBadRequest = protocol === "awsJson1_1" || (isS3 && S3_BAD_REQUESTS.has(refused));
  const status = isBadRequest ? 400 : 403;
  return new ServiceFault(NAMES[protocol][refused], (isS3 && S3_MESSAGES[refused]) || message, { status });
}
