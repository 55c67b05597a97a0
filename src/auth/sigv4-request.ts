/** What of an HTTP request a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  /** Decoded pairs in the order sent. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Lower-case names; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
}

export type SigV4RefusalReason =
  /** No signature at all. */
  | "missing"
  /** Another way of signing, such as Signature Version 2. */
  | "unsupported"
  /** A signature that cannot be read, or that does not cover what it must. */
  | "malformed"
  | "unknown-key"
  | "invalid-token"
  /** Temporary credentials past their time. */
  | "expired-token"
  /** Signed too long ago, or in the future. */
  | "skewed"
  /** A presigned URL past its time. */
  | "expired"
  | "mismatch";

export interface SigV4Refusal {
  readonly refused: SigV4RefusalReason;
  readonly message: string;
}

export function refuse(refused: SigV4RefusalReason, message: string): SigV4Refusal {
  return { refused, message };
}
