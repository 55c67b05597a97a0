import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BuiltImage } from "../build/image-builder.ts";
import { listTemplates } from "../store/build-store.ts";
import { listStartedImages } from "../store/microvm-store.ts";
import type { ImageWork } from "./image-work.ts";
import { RENEWED } from "./renew-template.ts";

/** What is started from a template. */
export interface EngineUse {
  readonly images: number;
  readonly microvms: number;
}

/** By fingerprint of the engine. */
export type EnginesInUse = ReadonlyMap<string, EngineUse>;

/**
 * Removes templates that are no build's any more and that no microVM was started from. `isBusy` tells builds whose
 * template somebody is about to use or to make.
 */
export async function sweepTemplates(
  { store, paths, log }: Pick<ImageWork, "store" | "paths" | "log">,
  isBusy: (buildId: string) => boolean,
): Promise<EnginesInUse> {
  // In this order: what is made from here on is not on the list, and what was made before is on record when it is not busy.
  const present = await presentTemplates(paths.images);
  const idle = present.filter(({ buildId }) => !isBusy(buildId));
  const builds = await listTemplates(store.db);
  const started = await listStartedImages(store.db);
  const ofBuilds = builds.map(({ templateJson }) => (JSON.parse(templateJson) as BuiltImage).template);
  const ofMicrovms = started.map(({ json, microvms }) => ({ ...(JSON.parse(json) as BuiltImage).template, microvms }));
  const used = new Set([...ofBuilds, ...ofMicrovms].map(({ directory }) => directory));
  const built = new Set(builds.map(({ buildId }) => buildId));
  for (const { buildId, directory } of idle) {
    if (!built.has(buildId) || used.has(directory) || isBusy(buildId)) continue;
    if (await removeTemplate(directory)) log.info({ buildId, directory }, "removed a template that nothing uses");
  }
  const fingerprints = new Set([...ofBuilds, ...ofMicrovms].map(({ fingerprint }) => fingerprint));
  return new Map(
    [...fingerprints].map((one) => [
      one,
      {
        images: ofBuilds.filter(({ fingerprint }) => fingerprint === one).length,
        microvms: ofMicrovms.reduce((sum, { fingerprint, microvms }) => sum + (fingerprint === one ? microvms : 0), 0),
      },
    ]),
  );
}

async function presentTemplates(images: string): Promise<{ buildId: string; directory: string }[]> {
  const builds = await readdir(images).catch(() => []);
  const lists = builds.map(async (buildId) => {
    const directory = join(images, buildId);
    const renewed = (await readdir(directory).catch(() => [])).filter((name) => RENEWED.test(name));
    return [directory, ...renewed.map((name) => join(directory, name))].map((place) => ({ buildId, directory: place }));
  });
  return (await Promise.all(lists)).flat();
}

/** False when there was nothing. A build's own directory keeps its log, and the templates that came later. */
async function removeTemplate(directory: string): Promise<boolean> {
  if (RENEWED.test(basename(directory))) {
    await rm(directory, { recursive: true, force: true });
    return true;
  }
  const names = (await readdir(directory)).filter((name) => name !== "build.log" && !RENEWED.test(name));
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true });
  return names.length > 0;
}
