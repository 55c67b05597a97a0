import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parseHttpRequest } from "../../src/aws/http-request.ts";
import { canonicalRequest, sha256Hex } from "../../src/auth/sigv4-canonical.ts";

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface RequestDraft {
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface SignOptions {
  readonly key: SigningKey;
  readonly service: string;
  readonly region?: string;
  readonly at?: Date;
  /** What is said of the body; its SHA-256 when left out. */
  readonly payload?: string;
}

/**
 * The draft's headers and its signature. It is made over the request as the server reads it, so that also one which no
 * client would send gets past the signature. Throws URIError for a target that cannot be read at all.
 */
export function signRequest(draft: RequestDraft, options: SignOptions): Record<string, string> {
  const { key, service, region = "us-east-1", at = new Date() } = options;
  const timestamp = at.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const payloadHash = options.payload ?? sha256Hex(draft.body);
  const headers: Record<string, string> = {
    ...draft.headers,
    "x-amz-date": timestamp,
    ...(service === "s3" && { "x-amz-content-sha256": payloadHash }),
    ...(key.sessionToken !== undefined && { "x-amz-security-token": key.sessionToken }),
  };
  const signedHeaders = Object.keys(headers)
    .filter((name) => name === "host" || name === "content-type" || name.startsWith("x-amz-"))
    .toSorted();
  const distinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const request = parseHttpRequest({
    method: draft.method,
    url: draft.target,
    headersDistinct: distinct,
  } as unknown as IncomingMessage);
  const canonical = canonicalRequest(request, { signedHeaders, payloadHash, isS3: service === "s3" });
  const scope = `${timestamp.slice(0, 8)}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", timestamp, scope, sha256Hex(canonical)].join("\n");
  let signing: Buffer = Buffer.from(`AWS4${key.secretAccessKey}`);
  for (const part of scope.split("/")) signing = createHmac("sha256", signing).update(part).digest();
  const signature = createHmac("sha256", signing).update(text).digest("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
  return { ...headers, authorization };
}
