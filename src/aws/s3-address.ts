/** Where an S3 request points, whichever way it addresses its bucket. */
export interface S3Address {
  readonly bucket?: string;
  /** Path below the bucket, still percent-encoded, with its leading slash. */
  readonly path: string;
}

/**
 * Finds the bucket in the host name (`BUCKET.localhost`, `BUCKET.s3.localhost`, `BUCKET.s3.REGION.localhost`) or as the
 * first segment of the path. Throws URIError for a malformed path.
 */
export function readS3Address(host: string, path: string, baseDomains: readonly string[]): S3Address {
  const bucket = bucketOfHost(host, baseDomains);
  if (bucket !== undefined) return { bucket, path };
  const end = path.indexOf("/", 1);
  const first = decodeURIComponent(end === -1 ? path.slice(1) : path.slice(1, end));
  if (first === "") return { path };
  return { bucket: first, path: end === -1 ? "/" : path.slice(end) };
}

function bucketOfHost(host: string, baseDomains: readonly string[]): string | undefined {
  const name = host.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");
  for (const domain of baseDomains) {
    if (!name.endsWith(`.${domain}`)) continue;
    const label = name.slice(0, -domain.length - 1).replace(/(^|\.)s3([.-][a-z]{2}(-[a-z]+)+-\d)?$/, "");
    return label === "" ? undefined : label;
  }
  return undefined;
}
