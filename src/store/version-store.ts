import type { Kysely, Selectable } from "kysely";
import { DEFAULT_MEMORY_MIB } from "../model/sizes.ts";
import type { VersionState, VersionStatus } from "../model/states.ts";
import type { Database } from "./tables.ts";

export type VersionRow = Selectable<Database["image_versions"]>;

export async function insertVersion(db: Kysely<Database>, row: VersionRow): Promise<void> {
  await db.insertInto("image_versions").values(row).execute();
}

export function findVersion(db: Kysely<Database>, imageArn: string, number: number): Promise<VersionRow | undefined> {
  return db
    .selectFrom("image_versions")
    .selectAll()
    .where("image_arn", "=", imageArn)
    .where("number", "=", number)
    .executeTakeFirst();
}

/** Newest first, older than version number `before`. */
export function listVersions(
  db: Kysely<Database>,
  imageArn: string,
  page: { before?: number; limit: number },
): Promise<VersionRow[]> {
  let query = db.selectFrom("image_versions").selectAll().where("image_arn", "=", imageArn);
  if (page.before !== undefined) query = query.where("number", "<", page.before);
  return query.orderBy("number", "desc").limit(page.limit).execute();
}

/** Newest version that may run; that very one when `number` is given. */
export function findRunnableVersion(
  db: Kysely<Database>,
  imageArn: string,
  number?: number,
): Promise<VersionRow | undefined> {
  let query = db
    .selectFrom("image_versions")
    .selectAll()
    .where("image_arn", "=", imageArn)
    .where("state", "=", "SUCCESSFUL")
    .where("status", "=", "ACTIVE");
  if (number !== undefined) query = query.where("number", "=", number);
  return query.orderBy("number", "desc").limit(1).executeTakeFirst();
}

export interface LatestVersions {
  readonly active?: string;
  readonly failed?: string;
}

/** Newest ACTIVE and newest FAILED version of each image; contract 3.3. */
export async function latestVersions(
  db: Kysely<Database>,
  imageArns: readonly string[],
): Promise<Map<string, LatestVersions>> {
  const latest = new Map<string, { active?: string; failed?: string }>();
  if (imageArns.length === 0) return latest;
  const rows = await db
    .selectFrom("image_versions")
    .select(["image_arn", "version", "state", "status"])
    .where("image_arn", "in", imageArns)
    .where((where) => where.or([where("status", "=", "ACTIVE"), where("state", "=", "FAILED")]))
    .orderBy("number")
    .execute();
  for (const row of rows) {
    const entry = latest.get(row.image_arn) ?? {};
    latest.set(row.image_arn, { ...entry, [row.state === "FAILED" ? "failed" : "active"]: row.version });
  }
  return latest;
}

export async function setVersionState(
  db: Kysely<Database>,
  key: { imageArn: string; version: string },
  change: { state?: VersionState; status?: VersionStatus; at: number },
): Promise<void> {
  const { at, ...columns } = change;
  await db
    .updateTable("image_versions")
    .set({ ...columns, updated_at: at })
    .where("image_arn", "=", key.imageArn)
    .where("version", "=", key.version)
    .execute();
}

/** How many versions an image has besides those on their way out. */
export async function countVersions(db: Kysely<Database>, imageArn: string): Promise<number> {
  const row = await db
    .selectFrom("image_versions")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("image_arn", "=", imageArn)
    .where("state", "!=", "DELETING")
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export function listVersionsInState(db: Kysely<Database>, state: VersionState): Promise<VersionRow[]> {
  return db.selectFrom("image_versions").selectAll().where("state", "=", state).execute();
}

export async function isVersionDeleting(
  db: Kysely<Database>,
  key: { imageArn: string; version: string },
): Promise<boolean> {
  const row = await db
    .selectFrom("image_versions")
    .select("state")
    .where("image_arn", "=", key.imageArn)
    .where("version", "=", key.version)
    .executeTakeFirst();
  return row?.state === "DELETING";
}

/** Baseline memory in MiB that a version asks for. */
export async function baselineOfVersion(
  db: Kysely<Database>,
  key: { imageArn: string; version: string },
): Promise<number> {
  const row = await db
    .selectFrom("image_versions")
    .select("request_json")
    .where("image_arn", "=", key.imageArn)
    .where("version", "=", key.version)
    .executeTakeFirst();
  const { resources } = JSON.parse(row?.request_json ?? "{}") as { resources?: { minimumMemoryInMiB: number }[] };
  return resources?.[0]?.minimumMemoryInMiB ?? DEFAULT_MEMORY_MIB;
}

/** Builds go with it. */
export async function deleteVersionRow(
  db: Kysely<Database>,
  key: { imageArn: string; version: string },
): Promise<void> {
  await db
    .deleteFrom("image_versions")
    .where("image_arn", "=", key.imageArn)
    .where("version", "=", key.version)
    .execute();
}
