import type { BuiltImage } from "../build/image-builder.ts";

/** Templates of builds, of which the present engine can start clones. */
export interface Templates {
  /** The build's template, kept as it is until the lease is disposed; made again first where that is needed. */
  lease(buildId: string, signal: AbortSignal): Promise<TemplateLease>;
}

export interface TemplateLease extends Disposable {
  readonly image: BuiltImage;
}
