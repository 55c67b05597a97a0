import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltImage } from "../build/image-builder.ts";
import { findBuild, replaceTemplate } from "../store/build-store.ts";
import { buildDirectory, buildRequest, openBuildLog } from "./build-run.ts";
import type { ImageWork } from "./image-work.ts";

/** Folders of templates in a build's directory, beside the build's own. */
export const RENEWED_PREFIX = "snapshot-";

export interface RenewalRequest {
  readonly buildId: string;
  /** First line of what the build's log gets. */
  readonly why: string;
  readonly signal: AbortSignal;
}

/**
 * Makes a build's template anew, beside the old one, and puts it in its place with one statement when it is complete and on
 * disk. Until then, and for whom it was started from, the old one stays; `sweepTemplates` removes what is left over.
 */
export async function renewTemplate(work: ImageWork, { buildId, why, signal }: RenewalRequest): Promise<void> {
  const { db } = work.store;
  const build = await findBuild(db, buildId);
  if (build?.state !== "SUCCESSFUL" || build.template_json === null) return;
  const asked = await buildRequest(work, build);
  const directory = join(buildDirectory(work.paths, buildId), `${RENEWED_PREFIX}${randomUUID()}`);
  const logged = await openBuildLog(work, { ...asked, request: { ...asked.request, preface: why, directory } });
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const image = JSON.parse(build.template_json) as BuiltImage;
    const renewed = await work.builder.renew(logged.request, image, signal);
    await replaceTemplate(db, buildId, {
      was: build.template_json,
      template_json: JSON.stringify(renewed.image),
      sizes_json: JSON.stringify(renewed.sizes),
    });
  } finally {
    await logged.close();
  }
}
