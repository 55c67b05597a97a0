const LENGTH = /^\d{1,15}$/;

/** Bytes, or that they come in chunks. */
export type MessageLength = number | "chunked";

/** Why nobody can be sure where a message ends. */
export interface LengthDoubt {
  readonly why: string;
}

/**
 * Where a message ends (RFC 9112, 6.3), from the fields that say so; undefined when none does. What another server
 * between client and application could read in another way is doubtful: that is how requests are smuggled.
 */
export function messageLength(
  contentLength: readonly string[],
  transferEncoding: readonly string[],
): MessageLength | LengthDoubt | undefined {
  if (transferEncoding.length > 0) {
    if (contentLength.length > 0) return { why: "both Content-Length and Transfer-Encoding" };
    if (transferEncoding.length > 1 || transferEncoding[0]?.toLowerCase() !== "chunked")
      return { why: "the only transfer encoding is chunked" };
    return "chunked";
  }
  const [length] = contentLength;
  if (length === undefined) return undefined;
  if (contentLength.length > 1 || !LENGTH.test(length)) return { why: "exactly one Content-Length is allowed" };
  return Number(length);
}
