import type { FileHandle } from "node:fs/promises";
import type { GetObjectCommandInput, HeadObjectCommandInput } from "@aws-sdk/client-s3";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { Operation } from "../service.ts";
import { requireBucket, requireKey, type BucketInput } from "./bucket-access.ts";
import { checkReadConditions } from "./conditions.ts";
import { findObject, type StoredObject } from "./object-rows.ts";
import { invalidRange, parseRange, type ByteRange } from "./range.ts";
import { invalidArgument, noSuchKey } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";
import { checksumMembers, outputHeaders } from "./stored-headers.ts";

const DEFAULT_CONTENT_TYPE = "binary/octet-stream";

export function headObject({ store }: S3Context): Operation<HeadObjectCommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    const object = await findObject(store, name, key);
    if (!object) throw noSuchKey(key);
    checkReadConditions(input, object);
    return describe(object, input);
  };
}

export function getObject(context: S3Context): Operation<GetObjectCommandInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(context.store, input, accountId);
    const key = requireKey(input.Key);
    const { object, handle } = await openObject(context, name, key);
    try {
      checkReadConditions(input, object);
      const output = describe(object, input);
      const range = rangeOf(object, input);
      return { ...output, Body: handle.createReadStream({ ...range }) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  };
}

/** Tags cannot be set, so an object that exists has none; copying tools ask. */
export function getObjectTagging({ store }: S3Context): Operation<BucketInput & { Key?: string }> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const key = requireKey(input.Key);
    if (!(await findObject(store, name, key))) throw noSuchKey(key);
    return { TagSet: [] };
  };
}

/** An object with its file open; a file replaced between the two looks is looked up again. */
export async function openObject(
  { store, files }: S3Context,
  bucket: string,
  key: string,
): Promise<{ object: StoredObject; handle: FileHandle }> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const object = await findObject(store, bucket, key);
    if (!object) throw noSuchKey(key);
    const handle = await files.open(object.file);
    if (handle) return { object, handle };
  }
  throw new Error(`The file of an object in bucket ${bucket} is missing`);
}

type ReadInput = GetObjectCommandInput | HeadObjectCommandInput;

function describe(object: StoredObject, input: ReadInput): Record<string, unknown> {
  const range = rangeOf(object, input);
  const wantsChecksum = input.ChecksumMode === "ENABLED" && !range;
  const { start, end } = range ?? { start: 0, end: object.size - 1 };
  return {
    AcceptRanges: "bytes",
    ContentLength: end - start + 1,
    ContentRange: range ? `bytes ${start}-${end}/${object.size}` : undefined,
    ContentType: object.content_type ?? DEFAULT_CONTENT_TYPE,
    ETag: `"${object.etag}"`,
    LastModified: new Date(object.modified_at),
    PartsCount: input.PartNumber === undefined ? undefined : object.headers.partSizes?.length,
    ...outputHeaders(object.headers),
    ...(wantsChecksum ? checksumMembers(object.headers.checksum) : {}),
    ...overrides(input),
  };
}

function rangeOf(object: StoredObject, { Range: header, PartNumber: part }: ReadInput): ByteRange | undefined {
  if (part === undefined) return header === undefined ? undefined : parseRange(header, object.size);
  if (header !== undefined) throw invalidArgument("Cannot specify both Range header and partNumber query parameter");
  const sizes = object.headers.partSizes ?? [object.size];
  const size = sizes[part - 1];
  if (size === undefined) {
    const message = "The requested partnumber is not satisfiable";
    throw new ServiceFault("InvalidPartNumber", message, {
      status: 416,
      members: { PartNumberRequested: part, ActualPartCount: sizes.length },
    });
  }
  if (size === 0) {
    if (object.size > 0) throw invalidRange(`part ${part}`, object.size);
    return undefined;
  }
  const start = sizes.slice(0, part - 1).reduce((sum, each) => sum + each, 0);
  return { start, end: start + size - 1 };
}

/** `response-content-type` and its like let a signed link say how its answer is to be taken. */
function overrides(input: ReadInput): Record<string, unknown> {
  const texts = {
    CacheControl: input.ResponseCacheControl,
    ContentDisposition: input.ResponseContentDisposition,
    ContentEncoding: input.ResponseContentEncoding,
    ContentLanguage: input.ResponseContentLanguage,
    ContentType: input.ResponseContentType,
  };
  const given = Object.entries(texts).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!/^[\t\u0020-\u007e\u00a0-\u00ff]*$/.test(String(value)))
      throw invalidArgument("Header value cannot be represented using ISO-8859-1.", name, "");
  }
  return { ...Object.fromEntries(given), ...(input.ResponseExpires && { Expires: input.ResponseExpires }) };
}
