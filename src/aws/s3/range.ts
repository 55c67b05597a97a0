import { ServiceFault } from "../../errors/service-fault.ts";

/** Both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * One range of bytes as RFC 9110 writes it. Undefined when the header is to be ignored: malformed, or several ranges,
 * which S3 answers with the whole object. InvalidRange (416) when it begins past the end.
 */
export function parseRange(header: string, size: number): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    if (length === 0) throw invalidRange(header, size);
    return { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) throw invalidRange(header, size);
  return { start, end };
}

export function invalidRange(asked: string, size: number): ServiceFault {
  return new ServiceFault("InvalidRange", "The requested range is not satisfiable", {
    status: 416,
    members: { RangeRequested: asked, ActualObjectSize: size },
  });
}
