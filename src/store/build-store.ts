import type { Kysely, Selectable } from "kysely";
import type { BuildState } from "../model/states.ts";
import type { Database } from "./tables.ts";

export type BuildRow = Selectable<Database["image_builds"]>;

export interface VersionKey {
  readonly imageArn: string;
  readonly version: string;
}

export async function insertBuild(db: Kysely<Database>, row: BuildRow): Promise<void> {
  await db.insertInto("image_builds").values(row).execute();
}

export function findBuild(db: Kysely<Database>, buildId: string): Promise<BuildRow | undefined> {
  return db.selectFrom("image_builds").selectAll().where("build_id", "=", buildId).executeTakeFirst();
}

/** Builds of one version, or of all versions of the image when none is named, by id after the id `after`. */
export function listBuilds(
  db: Kysely<Database>,
  of: { imageArn: string; version?: string },
  page: { after?: string; limit?: number } = {},
): Promise<BuildRow[]> {
  let query = db.selectFrom("image_builds").selectAll().where("image_arn", "=", of.imageArn);
  if (of.version !== undefined) query = query.where("version", "=", of.version);
  if (page.after !== undefined) query = query.where("build_id", ">", page.after);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return query.orderBy("build_id").execute();
}

/** Builds of this host that are not over, oldest first. */
export function listUnfinishedBuilds(db: Kysely<Database>, hostId: string): Promise<BuildRow[]> {
  return db
    .selectFrom("image_builds")
    .selectAll()
    .where("host_id", "=", hostId)
    .where("state", "in", ["PENDING", "IN_PROGRESS"])
    .orderBy("created_at")
    .execute();
}

export async function updateBuild(
  db: Kysely<Database>,
  buildId: string,
  change: { state: BuildState } & Partial<Pick<BuildRow, "state_reason" | "sizes_json" | "template_json">>,
): Promise<void> {
  await db.updateTable("image_builds").set(change).where("build_id", "=", buildId).execute();
}

/** Puts another template in the place of `was`; false when the build has another by now, or is gone. */
export async function replaceTemplate(
  db: Kysely<Database>,
  buildId: string,
  { was, ...change }: { was: string; template_json: string; sizes_json: string },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("image_builds")
    .set(change)
    .where("build_id", "=", buildId)
    .where("template_json", "=", was)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Templates of this host that may be run, newest version first. */
export async function listRunnableTemplates(
  db: Kysely<Database>,
  hostId: string,
): Promise<{ buildId: string; templateJson: string }[]> {
  const rows = await db
    .selectFrom("image_builds")
    .innerJoin("image_versions", (join) =>
      join
        .onRef("image_versions.image_arn", "=", "image_builds.image_arn")
        .onRef("image_versions.version", "=", "image_builds.version"),
    )
    .select(["build_id", "template_json"])
    .where("host_id", "=", hostId)
    .where("image_builds.state", "=", "SUCCESSFUL")
    .where("image_versions.status", "=", "ACTIVE")
    .orderBy("image_builds.created_at", "desc")
    .execute();
  return rows.flatMap((row) =>
    row.template_json === null ? [] : [{ buildId: row.build_id, templateJson: row.template_json }],
  );
}

/** What every build on record was made into; rootfs files are shared, so a deletion asks who else refers to one. */
export async function listTemplates(db: Kysely<Database>): Promise<{ buildId: string; templateJson: string }[]> {
  const rows = await db
    .selectFrom("image_builds")
    .select(["build_id", "template_json"])
    .where("template_json", "is not", null)
    .execute();
  return rows.flatMap((row) =>
    row.template_json === null ? [] : [{ buildId: row.build_id, templateJson: row.template_json }],
  );
}
