import { hash } from "node:crypto";
import type { SignedRequest } from "./sigv4-request.ts";

export interface CanonicalOptions {
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
  /** S3 encodes the path once and keeps it as it is; all others normalize it and encode it twice. */
  readonly isS3: boolean;
}

/** Task 1 of Signature Version 4: the request in the form both sides agree on. Throws URIError for a malformed path. */
export function canonicalRequest(request: SignedRequest, options: CanonicalOptions): string {
  const headers = options.signedHeaders
    .map((name) => `${name}:${canonicalHeader(request.headers[name] ?? "")}\n`)
    .join("");
  return [
    request.method,
    options.isS3 ? canonicalS3Path(request.path) : canonicalPath(request.path),
    canonicalQuery(request.query),
    headers,
    options.signedHeaders.join(";"),
    options.payloadHash,
  ].join("\n");
}

export function sha256Hex(text: string | Uint8Array): string {
  return hash("sha256", text);
}

function canonicalS3Path(path: string): string {
  return path
    .split("/")
    .map((segment) => encodeUri(decodeURIComponent(segment)))
    .join("/");
}

function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const isDirectory = path.endsWith("/") && segments.length > 0;
  return encodeUri(`/${segments.join("/")}${isDirectory ? "/" : ""}`).replaceAll("%2F", "/");
}

function canonicalQuery(query: SignedRequest["query"]): string {
  return query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .toSorted(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function canonicalHeader(value: string): string {
  return value.trim().replaceAll(/[ \t]+/g, " ");
}

/** RFC 3986: everything but unreserved characters. */
function encodeUri(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
