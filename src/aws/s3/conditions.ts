import { ServiceFault } from "../../errors/service-fault.ts";
import { noSuchKey, preconditionFailed } from "./s3-faults.ts";

/** What conditions are checked against. */
interface Subject {
  /** Without quotes. */
  readonly etag: string;
  /** Epoch milliseconds. */
  readonly modified_at: number;
}

export interface ReadConditions {
  readonly IfMatch?: string;
  readonly IfNoneMatch?: string;
  readonly IfModifiedSince?: Date;
  readonly IfUnmodifiedSince?: Date;
}

export type WriteConditions = Pick<ReadConditions, "IfMatch" | "IfNoneMatch">;

/** In the order of RFC 9110, 13.2.2: a failed If-Match answers 412, an unchanged object 304. */
export function checkReadConditions(conditions: ReadConditions, subject: Subject): void {
  const { IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince } = conditions;
  if (IfMatch !== undefined) {
    if (!matches(IfMatch, subject.etag)) throw preconditionFailed("If-Match");
  } else if (IfUnmodifiedSince && wholeSeconds(subject) > IfUnmodifiedSince.getTime())
    throw preconditionFailed("If-Unmodified-Since");
  const isUnchanged =
    IfNoneMatch === undefined
      ? IfModifiedSince !== undefined && wholeSeconds(subject) <= IfModifiedSince.getTime()
      : matches(IfNoneMatch, subject.etag);
  if (isUnchanged) {
    const members = { etag: `"${subject.etag}"`, "last-modified": new Date(subject.modified_at).toUTCString() };
    throw new ServiceFault("NotModified", "Not Modified", { status: 304, members });
  }
}

/** S3 takes `If-None-Match: *` to not overwrite, and `If-Match: <etag>` to overwrite only what one has seen. */
export function checkWriteConditions(
  { IfMatch, IfNoneMatch }: WriteConditions,
  before: Subject | undefined,
  key: string,
): void {
  if (IfNoneMatch !== undefined && before && matches(IfNoneMatch, before.etag))
    throw preconditionFailed("If-None-Match");
  if (IfMatch === undefined) return;
  if (!before) throw noSuchKey(key);
  if (!matches(IfMatch, before.etag)) throw preconditionFailed("If-Match");
}

/** HTTP dates have no fractions. */
function wholeSeconds({ modified_at }: Subject): number {
  return Math.floor(modified_at / 1000) * 1000;
}

function matches(list: string, etag: string): boolean {
  return list.split(",").some((part) => {
    const tag = part.trim().replace(/^W\//, "").replaceAll('"', "");
    return tag === "*" || tag === etag;
  });
}
