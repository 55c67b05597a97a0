import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Authorizer } from "../auth/authorizer.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import type { ObjectReader } from "./artifact-source.ts";
import type { BuildLog } from "./build-log.ts";
import type { BuildRequest } from "./image-builder.ts";

export interface FetchTools {
  readonly objects: ObjectReader;
  readonly authorizer: Authorizer;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

/** Phase 1: the artifact, read in the name of the build role, into a file (contract 3.4, 3.6). */
export async function fetchArtifact(tools: FetchTools, request: BuildRequest, into: string): Promise<void> {
  const { bucket, key } = parseS3Uri(request.artifactUri);
  const decision = await tools.authorizer.authorize({
    roleArn: request.buildRoleArn,
    accountId: request.accountId,
    action: "s3:GetObject",
    resource: `arn:aws:s3:::${bucket}/${key}`,
    sourceArn: request.imageArn,
  });
  if (!decision.allowed) throw accessDenied(request, decision.why);
  const object = await tools.objects.open({ accountId: request.accountId, bucket, key });
  if ("missing" in object) {
    if (object.missing === "permission") throw accessDenied(request, `the bucket ${bucket} belongs to another account`);
    throw object.missing === "bucket"
      ? new BuildFailure("S3_NO_SUCH_BUCKET", `S3_NO_SUCH_BUCKET: there is no bucket named ${bucket}`)
      : new BuildFailure("S3_NO_SUCH_KEY", `S3_NO_SUCH_KEY: there is no object ${key} in bucket ${bucket}`);
  }
  tools.log.line(`fetching ${request.artifactUri}, ${object.size} bytes`);
  await pipeline(object.body, createWriteStream(into, { mode: 0o600 }), { signal: tools.signal });
}

function accessDenied({ buildRoleArn, artifactUri }: BuildRequest, why: string): BuildFailure {
  return new BuildFailure(
    "S3_ACCESS_DENIED",
    `S3_ACCESS_DENIED: the build role ${buildRoleArn} may not read ${artifactUri}: ${why}`,
  );
}

/** "s3://bucket/key"; anything else is refused when the image is created, so it is a defect here. */
export function parseS3Uri(uri: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([^/]+)\/(.+)$/s.exec(uri);
  if (match === null)
    throw new BuildFailure("S3_INVALID_OBJECT", `S3_INVALID_OBJECT: ${uri} is not of the form s3://<bucket>/<key>`);
  return { bucket: match[1] ?? "", key: match[2] ?? "" };
}
