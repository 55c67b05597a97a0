import type { ChecksumType } from "@aws-sdk/client-s3";
import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import { ServiceFault } from "../../errors/service-fault.ts";

/** What an object gives back besides its bytes; kept as `headers_json`. */
export interface StoredHeaders {
  readonly CacheControl?: string;
  readonly ContentDisposition?: string;
  readonly ContentEncoding?: string;
  readonly ContentLanguage?: string;
  /** ISO 8601 */
  readonly Expires?: string;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly checksum?: StoredChecksum;
  /** Of an object made of parts, in their order. */
  readonly partSizes?: readonly number[];
}

export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; a composite one ends in "-" and the number of parts. */
  readonly value: string;
  readonly type: ChecksumType;
}

export interface HeaderInput {
  readonly CacheControl?: string;
  readonly ContentDisposition?: string;
  readonly ContentEncoding?: string;
  readonly ContentLanguage?: string;
  readonly Expires?: Date;
  readonly Metadata?: Record<string, string>;
}

const MAX_METADATA_BYTES = 2048;

export function headersOfInput(input: HeaderInput): StoredHeaders {
  const metadata = input.Metadata ?? {};
  const size = Object.entries(metadata).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (size > MAX_METADATA_BYTES) {
    throw new ServiceFault("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", {
      status: 400,
      members: { Size: size, MaxSizeAllowed: MAX_METADATA_BYTES },
    });
  }
  const { CacheControl, ContentDisposition, ContentLanguage } = input;
  return {
    CacheControl,
    ContentDisposition,
    ContentLanguage,
    ContentEncoding: withoutTransport(input.ContentEncoding),
    Expires: input.Expires?.toISOString(),
    Metadata: metadata,
  };
}

/** aws-chunked says how the body travelled, not what it is. */
function withoutTransport(encoding: string | undefined): string | undefined {
  const kept = encoding
    ?.split(",")
    .map((part) => part.trim())
    .filter((part) => part.toLowerCase() !== "aws-chunked" && part !== "");
  return kept && kept.length > 0 ? kept.join(", ") : undefined;
}

/** `{ ChecksumCRC32: "…", ChecksumType: "FULL_OBJECT" }` */
export function checksumMembers(checksum: StoredChecksum | undefined): Record<string, string> {
  return checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type } : {};
}

/** Kept headers in the shape of GetObject's and HeadObject's output. */
export function outputHeaders(headers: StoredHeaders): Record<string, unknown> {
  const { checksum: _checksum, partSizes: _partSizes, Expires, ...given } = headers;
  return { ...given, Expires: Expires === undefined ? undefined : new Date(Expires) };
}
