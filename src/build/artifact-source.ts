import type { Readable } from "node:stream";

/** Where build artifacts are read from: an S3 store without its access rules, which the build checks itself. */
export interface ObjectReader {
  /** "permission": the bucket is another account's. */
  open(place: {
    readonly accountId: string;
    readonly bucket: string;
    readonly key: string;
  }): Promise<
    { readonly size: number; readonly body: Readable } | { readonly missing: "bucket" | "key" | "permission" }
  >;
}
