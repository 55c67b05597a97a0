import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltImage } from "../build/image-builder.ts";
import { findBuild, replaceTemplate } from "../store/build-store.ts";
import { buildDirectory, buildRequest, openBuildLog } from "./build-run.ts";
import type { ImageWork } from "./image-work.ts";

/** Names of folders of templates in a build's directory, which is that of the first one. Short, as paths of sockets must be. */
export const RENEWED = /^\d+$/;

export interface RenewalRequest {
  readonly buildId: string;
  /** For the build's log. */
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
  const directory = await newDirectory(buildDirectory(work.paths, buildId));
  const logged = await openBuildLog(work, {
    ...asked,
    request: {
      ...asked.request,
      preface: `snapshotted again from the kept root file system, without a container build: ${why}`,
      directory,
    },
  });
  try {
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

/** One that no template before had, as far as any is left of them. */
async function newDirectory(build: string): Promise<string> {
  const numbers = (await readdir(build)).filter((name) => RENEWED.test(name)).map(Number);
  const directory = join(build, String(Math.max(1, ...numbers) + 1));
  await mkdir(directory, { mode: 0o700 });
  return directory;
}
