import type { Readable } from "node:stream";

/** Reads a build artifact out of S3 in the name of the build role; throws BuildFailure S3_… (contract 3.6). */
export interface ArtifactSource {
  open(request: { readonly uri: string; readonly buildRoleArn: string; readonly accountId: string; readonly region: string }): Promise<{
    readonly size: number;
    readonly body: Readable;
  }>;
}
