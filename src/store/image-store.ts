import type { Kysely, Selectable } from "kysely";
import type { ImageState } from "../model/states.ts";
import type { Database } from "./tables.ts";

export type ImageRow = Selectable<Database["images"]>;

export interface ImageOwner {
  readonly accountId: string;
  readonly region: string;
}

/** The image of that ARN if it belongs to the owner; an image of another account does not exist for them. */
/** By ARN, which names its Region: a caller whose client is set to another Region finds its image all the same. */
export function findImage(
  db: Kysely<Database>,
  owner: Pick<ImageOwner, "accountId">,
  arn: string,
): Promise<ImageRow | undefined> {
  return db
    .selectFrom("images")
    .selectAll()
    .where("arn", "=", arn)
    .where("account_id", "=", owner.accountId)
    .executeTakeFirst();
}

export async function insertImage(db: Kysely<Database>, row: ImageRow): Promise<void> {
  await db.insertInto("images").values(row).execute();
}

/** Images of one owner by name, after the name `after`. */
export function listImages(
  db: Kysely<Database>,
  owner: ImageOwner,
  page: { after?: string; limit: number },
): Promise<ImageRow[]> {
  let query = db
    .selectFrom("images")
    .selectAll()
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region);
  if (page.after !== undefined) query = query.where("name", ">", page.after);
  return query.orderBy("name").limit(page.limit).execute();
}

/**
 * Moves an image from one of `from` to `to`; false when it was in none of them, so that of two racing writers one wins.
 */
export async function moveImage(
  db: Kysely<Database>,
  arn: string,
  move: { from: readonly ImageState[]; to: ImageState; at: number },
): Promise<boolean> {
  const result = await db
    .updateTable("images")
    .set({ state: move.to, updated_at: move.at })
    .where("arn", "=", arn)
    .where("state", "in", move.from)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export async function setLastVersion(db: Kysely<Database>, arn: string, number: number): Promise<void> {
  await db.updateTable("images").set({ last_version: number }).where("arn", "=", arn).execute();
}

export async function setImageTags(
  db: Kysely<Database>,
  arn: string,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  await db
    .updateTable("images")
    .set({ tags_json: JSON.stringify(tags) })
    .where("arn", "=", arn)
    .execute();
}

export function imageTags(row: ImageRow): Record<string, string> {
  return JSON.parse(row.tags_json) as Record<string, string>;
}

/** Images whose deletion or version deletion a crash may have interrupted. */
export function listImagesInState(db: Kysely<Database>, state: ImageState): Promise<ImageRow[]> {
  return db.selectFrom("images").selectAll().where("state", "=", state).execute();
}

export async function isImageDeleting(db: Kysely<Database>, arn: string): Promise<boolean> {
  const row = await db.selectFrom("images").select("state").where("arn", "=", arn).executeTakeFirst();
  return row?.state === "DELETING";
}

/** Versions and builds go with it. */
export async function deleteImageRow(db: Kysely<Database>, arn: string): Promise<void> {
  await db.deleteFrom("images").where("arn", "=", arn).execute();
}

/** MicroVMs of an image, or of one version, that are not TERMINATED: they still read its files. */
export async function countLiveMicrovms(
  db: Kysely<Database>,
  of: { imageArn: string; version?: string },
): Promise<number> {
  let query = db
    .selectFrom("microvms")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("image_arn", "=", of.imageArn)
    .where("state", "!=", "TERMINATED");
  if (of.version !== undefined) query = query.where("image_version", "=", of.version);
  return Number((await query.executeTakeFirstOrThrow()).count);
}
