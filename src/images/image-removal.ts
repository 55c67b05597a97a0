import { readdir, rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { BuiltImage } from "../build/image-builder.ts";
import { listBuilds, listTemplates, type VersionKey } from "../store/build-store.ts";
import { deleteImageRow, isImageDeleting, moveImage } from "../store/image-store.ts";
import { endImageUsage } from "../store/usage-store.ts";
import { deleteVersionRow, isVersionDeleting, setVersionState } from "../store/version-store.ts";
import type { ImageWork } from "./image-work.ts";
import { buildDirectory } from "./build-run.ts";

/** Ends a deletion: files first, rows last, so that a crash between the two leaves a row that says what to do. */
export async function removeImage(work: ImageWork, imageArn: string): Promise<void> {
  const { store, log, now } = work;
  if (!(await isImageDeleting(store.db, imageArn))) return;
  try {
    await removeBuildFiles(work, { imageArn });
  } catch (err) {
    log.error({ err, imageArn }, "the files of a deleted image could not be removed; delete it again");
    await moveImage(store.db, imageArn, { from: ["DELETING"], to: "DELETE_FAILED", at: now() });
    return;
  }
  await store.db.transaction().execute(async (db) => {
    await endImageUsage(db, { imageArn }, now());
    await deleteImageRow(db, imageArn);
  });
}

/** The same for one version; its image was UPDATING meanwhile (contract 2.1). */
export async function removeVersion(work: ImageWork, key: VersionKey): Promise<void> {
  const { store, log, now } = work;
  if (!(await isVersionDeleting(store.db, key))) return;
  let removed = true;
  try {
    await removeBuildFiles(work, key);
  } catch (err) {
    log.error({ err, ...key }, "the files of a deleted image version could not be removed; delete it again");
    removed = false;
  }
  await store.db.transaction().execute(async (db) => {
    if (removed) {
      await endImageUsage(db, key, now());
      await deleteVersionRow(db, key);
    } else await setVersionState(db, key, { state: "DELETE_FAILED", status: "INACTIVE", at: now() });
    await moveImage(db, key.imageArn, { from: ["UPDATING"], to: "UPDATED", at: now() });
  });
}

/** Removes rootfs files that no build refers to. Only safe while no build runs. */
export async function sweepRootfs({ store, paths, log }: ImageWork): Promise<void> {
  const templates = await listTemplates(store.db);
  const used = new Set(
    templates.map(({ templateJson }) => topName(paths.rootfs, (JSON.parse(templateJson) as BuiltImage).rootfs)),
  );
  const present = await readdir(paths.rootfs).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw cause;
  });
  const unused = present.filter((name) => !used.has(name));
  for (const name of unused) await rm(join(paths.rootfs, name), { recursive: true, force: true });
  if (unused.length > 0) log.info({ count: unused.length }, "removed rootfs files that no image uses");
}

/** Gives up what deleted images would have been built again with. Only safe while no build runs. */
export async function sweepLayers({ store, builder, log }: ImageWork): Promise<void> {
  const images = await store.db.selectFrom("images").select("arn").execute();
  await builder
    .keepOnly(images.map(({ arn }) => arn))
    .catch((err: unknown) => log.warn({ err }, "layers of deleted images could not be removed"));
}

async function removeBuildFiles(
  { store, paths, releaseTemplate }: ImageWork,
  of: { imageArn: string; version?: string },
): Promise<void> {
  for (const build of await listBuilds(store.db, of)) {
    await releaseTemplate(build.build_id);
    await rm(buildDirectory(paths, build.build_id), { recursive: true, force: true });
  }
}

function topName(directory: string, file: string): string | undefined {
  return relative(directory, file).split(sep)[0];
}
