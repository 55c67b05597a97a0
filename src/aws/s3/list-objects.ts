import type { ListObjectsCommandInput, ListObjectsV2CommandInput } from "@aws-sdk/client-s3";
import type { Operation } from "../service.ts";
import { requireBucket } from "./bucket-access.ts";
import { afterPrefix } from "./key-range.ts";
import { after, listObjectsPage, type ListedObject } from "./object-listing.ts";
import { invalidArgument } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import type { StoredHeaders } from "./stored-headers.ts";

const MAX_KEYS = 1000;

export function listObjects({ store }: S3Context): Operation<ListObjectsCommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const { Prefix = "", Delimiter = "", Marker = "" } = input;
    const max = maxKeys(input.MaxKeys);
    const encode = encoder(input.EncodingType);
    const page = await listObjectsPage(store, {
      bucket: name,
      prefix: Prefix,
      delimiter: Delimiter,
      from: afterMarker(Marker, Prefix, Delimiter),
      max,
    });
    return {
      Name: name,
      Prefix: encode(Prefix),
      Marker: encode(Marker),
      MaxKeys: max,
      Delimiter: Delimiter === "" ? undefined : encode(Delimiter),
      IsTruncated: page.next !== undefined,
      // Without a delimiter clients go on from the last key.
      NextMarker: Delimiter !== "" && page.next ? encode(page.next.last) : undefined,
      EncodingType: input.EncodingType,
      Contents: page.objects.map((object) => ({ ...describe(object, encode), Owner: { ID: accountId } })),
      CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    };
  };
}

export function listObjectsV2({ store }: S3Context): Operation<ListObjectsV2CommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const { Prefix = "", Delimiter = "", StartAfter, ContinuationToken } = input;
    const max = maxKeys(input.MaxKeys);
    const encode = encoder(input.EncodingType);
    const start = StartAfter ? after(StartAfter) : "";
    const from = ContinuationToken === undefined ? start : readToken(ContinuationToken);
    const page = await listObjectsPage(store, { bucket: name, prefix: Prefix, delimiter: Delimiter, from, max });
    const owner = input.FetchOwner ? { Owner: { ID: accountId } } : {};
    return {
      Name: name,
      Prefix: encode(Prefix),
      MaxKeys: max,
      Delimiter: Delimiter === "" ? undefined : encode(Delimiter),
      StartAfter: StartAfter === undefined ? undefined : encode(StartAfter),
      EncodingType: input.EncodingType,
      KeyCount: page.objects.length + page.commonPrefixes.length,
      IsTruncated: page.next !== undefined,
      ContinuationToken,
      NextContinuationToken: page.next ? writeToken(page.next.from) : undefined,
      Contents: page.objects.map((object) => ({ ...describe(object, encode), ...owner })),
      CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    };
  };
}

type Encode = (text: string) => string;

function describe(object: ListedObject, encode: Encode): Record<string, unknown> {
  const { checksum } = JSON.parse(object.headers_json) as StoredHeaders;
  return {
    Key: encode(object.key),
    LastModified: new Date(object.modified_at),
    ETag: `"${object.etag}"`,
    ChecksumAlgorithm: checksum ? [checksum.algorithm] : undefined,
    ChecksumType: checksum?.type,
    Size: object.size,
    StorageClass: "STANDARD",
  };
}

export function maxKeys(asked: number | undefined): number {
  if (asked === undefined) return MAX_KEYS;
  if (!Number.isInteger(asked) || asked < 0)
    throw invalidArgument("Provided max-keys not an integer or within integer range", "max-keys", String(asked));
  return Math.min(asked, MAX_KEYS);
}

/** Keys may hold characters that XML 1.0 cannot write; clients that care ask for URL encoding. */
export function encoder(type: string | undefined): Encode {
  if (type === undefined) return (text) => text;
  if (type !== "url") throw invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", type);
  return (text) => encodeURIComponent(text).replaceAll("%2F", "/");
}

/** A marker that is a common prefix itself stands for everything rolled up in it. */
function afterMarker(marker: string, prefix: string, delimiter: string): string {
  const isRolledUp =
    delimiter !== "" && marker.startsWith(prefix) && marker.length > prefix.length && marker.endsWith(delimiter);
  const next = isRolledUp ? afterPrefix(marker) : undefined;
  return marker === "" ? "" : (next ?? after(marker));
}

function writeToken(from: string): string {
  return Buffer.from(JSON.stringify({ from })).toString("base64url");
}

function readToken(token: string): string {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (typeof value === "object" && value !== null && "from" in value && typeof value.from === "string")
      return value.from;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw invalidArgument("The continuation token provided is incorrect", "continuation-token", token.slice(0, 200));
}
