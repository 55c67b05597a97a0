import type { Readable } from "node:stream";
import { ChunkedPayload } from "../../auth/chunked-payload.ts";
import {
  CHECKSUM_ALGORITHMS,
  badChecksum,
  checkMd5,
  isChecksumAlgorithm,
  type ChecksumAlgorithm,
} from "../protocol/checksum.ts";
import type { WrittenFile } from "./object-files.ts";
import { invalidRequest, notImplemented } from "./s3-faults.ts";

/** Members and trailers by which an upload may say what it carries. */
export type ChecksumInput = {
  readonly Body?: unknown;
  readonly ContentMD5?: string;
  readonly ChecksumAlgorithm?: string;
} & { readonly [K in `Checksum${ChecksumAlgorithm}`]?: string };

/** What S3 computes when nobody asks for anything else. */
const DEFAULT_ALGORITHM = "CRC64NVME";
const TRAILER_PREFIX = "x-amz-checksum-";

/** The one algorithm an upload declares: by value, by trailer, or by name. */
export function declaredAlgorithm(input: ChecksumInput): ChecksumAlgorithm | undefined {
  const given = CHECKSUM_ALGORITHMS.filter((algorithm) => input[`Checksum${algorithm}`] !== undefined);
  const trailers = trailerNames(input.Body).map((name) => knownAlgorithm(name.slice(TRAILER_PREFIX.length)));
  const all = [...new Set([...given, ...trailers])];
  if (all.length > 1)
    throw invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  const named = input.ChecksumAlgorithm === undefined ? undefined : knownAlgorithm(input.ChecksumAlgorithm);
  return all[0] ?? named;
}

export function uploadAlgorithm(input: ChecksumInput): ChecksumAlgorithm {
  return declaredAlgorithm(input) ?? DEFAULT_ALGORITHM;
}

export function knownAlgorithm(name: string): ChecksumAlgorithm {
  const algorithm = name.toUpperCase();
  if (!isChecksumAlgorithm(algorithm)) throw notImplemented(`checksum algorithm ${algorithm}`);
  return algorithm;
}

/** After the body was read to its end: every digest the client declared must be the one computed. */
export function verifyUpload(input: ChecksumInput, written: WrittenFile, algorithm: ChecksumAlgorithm): void {
  if (input.ContentMD5 !== undefined) checkMd5(input.ContentMD5, written.md5.toString("base64"));
  const trailer =
    input.Body instanceof ChunkedPayload ? input.Body.trailers[TRAILER_PREFIX + algorithm.toLowerCase()] : undefined;
  for (const declared of [input[`Checksum${algorithm}`], trailer]) {
    if (declared !== undefined && declared !== written.checksum) throw badChecksum(algorithm);
  }
}

export function bodyOf(input: ChecksumInput): Readable {
  return input.Body as Readable;
}

function trailerNames(body: unknown): string[] {
  if (!(body instanceof ChunkedPayload)) return [];
  return body.trailerNames.filter((name) => name.startsWith(TRAILER_PREFIX));
}
