import { Readable } from "node:stream";
import { GetObjectCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { BuildFailure } from "../errors/build-failure.ts";
import type { ObjectReader } from "./artifact-source.ts";

export interface RemoteS3 {
  /** A URL, or "aws" for the service itself. */
  readonly endpoint: string;
  readonly region: string;
  readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
}

const ATTEMPTS = 3;
const CONNECT_TIMEOUT_MS = 5_000;
/** Nothing of an answer for so long. */
const IDLE_TIMEOUT_MS = 60_000;

/** Reads build artifacts from another S3, with a key of the operator's; its access rules are its own. */
export function createRemoteObjects({ endpoint, region, key }: RemoteS3): ObjectReader {
  const client = new S3Client({
    region,
    credentials: key,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    ...(endpoint === "aws" ? { followRegionRedirects: true } : { endpoint, forcePathStyle: true }),
  });
  return {
    async open({ bucket, key: name }) {
      try {
        const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: name }));
        return { size: ContentLength, body: Body instanceof Readable ? Body : Readable.from([]) };
      } catch (cause) {
        return whatIsMissing(cause, { endpoint, object: `s3://${bucket}/${name}` });
      }
    },
  };
}

/** Asks the next reader where one has no such bucket. */
export function joinObjects(readers: readonly ObjectReader[]): ObjectReader {
  return {
    async open(place) {
      for (const reader of readers) {
        const found = await reader.open(place);
        if (!("missing" in found && found.missing === "bucket")) return found;
      }
      return { missing: "bucket" };
    },
  };
}

function whatIsMissing(
  cause: unknown,
  { endpoint, object }: { endpoint: string; object: string },
): { readonly missing: "bucket" | "key" } {
  if (!(cause instanceof S3ServiceException)) {
    const reason = `INTERNAL_PLATFORM_ERROR: ${object} could not be read from the S3 at ${endpoint}: ${String(cause)}; check CATNAP_S3_ENDPOINT`;
    throw new BuildFailure("INTERNAL_PLATFORM_ERROR", reason, { cause });
  }
  const { name, message, $metadata } = cause;
  if (name === "NoSuchBucket") return { missing: "bucket" };
  if (name === "NoSuchKey" || name === "NotFound") return { missing: "key" };
  const said = `the S3 at ${endpoint} answers ${name} for ${object}: ${message}`;
  if (name === "InvalidObjectState")
    throw new BuildFailure("S3_INVALID_OBJECT", `S3_INVALID_OBJECT: ${said}`, { cause });
  if (name === "PermanentRedirect" || name === "AuthorizationHeaderMalformed")
    throw new BuildFailure("S3_CROSS_REGION_ACCESS_DENIED", `S3_CROSS_REGION_ACCESS_DENIED: ${said}`, { cause });
  if ($metadata.httpStatusCode === 403)
    throw new BuildFailure("S3_ACCESS_DENIED", `S3_ACCESS_DENIED: ${said}; check CATNAP_S3_CREDENTIALS`, { cause });
  throw new BuildFailure("INTERNAL_PLATFORM_ERROR", `INTERNAL_PLATFORM_ERROR: ${said}`, { cause });
}
