import { refuse, type SignedRequest, type SigV4Refusal } from "./sigv4-request.ts";

/** What a request says about its own signature; nothing of it is proven yet. */
export interface SigV4Claims {
  readonly accessKeyId: string;
  /** "20261120/us-east-1/s3/aws4_request" */
  readonly scope: string;
  readonly date: string;
  readonly region: string;
  readonly signingName: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** "20261120T101500Z" */
  readonly timestamp: string;
  readonly signedAt: Date;
  readonly sessionToken?: string;
  /** Present on presigned URLs only. */
  readonly expiresSeconds?: number;
}

export const ALGORITHM = "AWS4-HMAC-SHA256";
const UNSUPPORTED = `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`;
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600;

/** Reads the Authorization header or the query of a presigned URL. */
export function readSigV4Claims(request: SignedRequest): SigV4Claims | SigV4Refusal {
  const header = request.headers["authorization"];
  const query = new Map(request.query);
  if (header !== undefined && query.has("X-Amz-Signature"))
    return refuse("malformed", "Only one way of signing is allowed: header or query");
  if (header !== undefined) return fromHeader(header, request);
  if (query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature")) return fromQuery(query);
  // Links signed with version 2: the AWS CLI 1 makes them unless s3.signature_version is s3v4.
  if (query.has("AWSAccessKeyId") && query.has("Signature")) return refuse("unsupported", UNSUPPORTED);
  return refuse("missing", "Missing Authentication Token");
}

function fromHeader(header: string, { headers }: SignedRequest): SigV4Claims | SigV4Refusal {
  const [algorithm, ...rest] = header.trim().split(/\s+/);
  if (algorithm !== ALGORITHM) return refuse("unsupported", UNSUPPORTED);
  const fields = new Map(
    rest
      .join("")
      .split(",")
      .map((field) => {
        const at = field.indexOf("=");
        return [field.slice(0, at), field.slice(at + 1)] as const;
      }),
  );
  const timestamp = headers["x-amz-date"] ?? fromHttpDate(headers["date"]);
  if (timestamp === undefined)
    return refuse("malformed", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header");
  return assemble({
    credential: fields.get("Credential"),
    signedHeaders: fields.get("SignedHeaders"),
    signature: fields.get("Signature"),
    timestamp,
    sessionToken: headers["x-amz-security-token"],
  });
}

function fromQuery(query: ReadonlyMap<string, string>): SigV4Claims | SigV4Refusal {
  if (query.get("X-Amz-Algorithm") !== ALGORITHM) return refuse("unsupported", UNSUPPORTED);
  const expires = query.get("X-Amz-Expires") ?? "";
  if (!/^\d{1,6}$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_SECONDS) {
    return refuse("malformed", `X-Amz-Expires must be between 1 and ${MAX_EXPIRES_SECONDS} seconds`);
  }
  return assemble({
    credential: query.get("X-Amz-Credential"),
    signedHeaders: query.get("X-Amz-SignedHeaders"),
    signature: query.get("X-Amz-Signature"),
    timestamp: query.get("X-Amz-Date"),
    sessionToken: query.get("X-Amz-Security-Token"),
    expiresSeconds: Number(expires),
  });
}

interface RawClaims {
  readonly credential: string | undefined;
  readonly signedHeaders: string | undefined;
  readonly signature: string | undefined;
  readonly timestamp: string | undefined;
  readonly sessionToken: string | undefined;
  readonly expiresSeconds?: number;
}

function assemble(raw: RawClaims): SigV4Claims | SigV4Refusal {
  const { sessionToken, expiresSeconds } = raw;
  for (const [name, value] of [
    ["Credential", raw.credential],
    ["SignedHeaders", raw.signedHeaders],
    ["Signature", raw.signature],
  ] as const) {
    if (!value) return refuse("malformed", `Authorization requires '${name}' parameter`);
  }
  const [, accessKeyId, date, region, signingName] =
    /^([\w]{1,128})\/(\d{8})\/([a-z0-9-]{1,40})\/([a-z0-9-]{1,60})\/aws4_request$/.exec(raw.credential ?? "") ?? [];
  if (!accessKeyId || !date || !region || !signingName) {
    return refuse("malformed", "Credential must have the form <access key id>/<date>/<region>/<service>/aws4_request");
  }
  const signedAt = parseTimestamp(raw.timestamp ?? "");
  if (!signedAt || !raw.timestamp)
    return refuse("malformed", "X-Amz-Date must be in ISO8601 format: yyyyMMdd'T'HHmmss'Z'");
  if (!raw.timestamp.startsWith(date))
    return refuse("malformed", "Date in Credential scope does not match the date of the request");
  const signedHeaders = (raw.signedHeaders ?? "").split(";");
  if (!signedHeaders.includes("host")) return refuse("malformed", "'Host' must be a signed header");
  const claims = {
    accessKeyId,
    scope: `${date}/${region}/${signingName}/aws4_request`,
    date,
    region,
    signingName,
    signedHeaders,
  };
  return {
    ...claims,
    signature: raw.signature ?? "",
    timestamp: raw.timestamp,
    signedAt,
    sessionToken,
    expiresSeconds,
  };
}

function parseTimestamp(text: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function fromHttpDate(text: string | undefined): string | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
}
