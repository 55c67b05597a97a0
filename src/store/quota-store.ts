import type { Kysely } from "kysely";
import { DEFAULT_MEMORY_MIB } from "../model/sizes.ts";
import type { ImageOwner } from "./image-store.ts";
import type { Database } from "./tables.ts";

/** What counts against the quotas of one owner. */

export async function countImages(db: Kysely<Database>, owner: ImageOwner): Promise<number> {
  const row = await db
    .selectFrom("images")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Builds that wait or run. */
export async function countUnfinishedBuilds(db: Kysely<Database>, owner: ImageOwner): Promise<number> {
  const row = await db
    .selectFrom("image_builds")
    .innerJoin("images", "images.arn", "image_builds.image_arn")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("images.account_id", "=", owner.accountId)
    .where("images.region", "=", owner.region)
    .where("image_builds.state", "in", ["PENDING", "IN_PROGRESS"])
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

interface SizedSettings {
  readonly resources?: readonly { readonly minimumMemoryInMiB: number }[];
}

/** Baseline memory of all microVMs that are not TERMINATED. */
export async function sumMemoryMiB(db: Kysely<Database>, owner: ImageOwner): Promise<number> {
  const rows = await db
    .selectFrom("microvms")
    .innerJoin("image_versions", (join) =>
      join
        .onRef("image_versions.image_arn", "=", "microvms.image_arn")
        .onRef("image_versions.version", "=", "microvms.image_version"),
    )
    .select((select) => ["image_versions.request_json", select.fn.countAll<number>().as("count")])
    .where("microvms.account_id", "=", owner.accountId)
    .where("microvms.region", "=", owner.region)
    .where("microvms.state", "!=", "TERMINATED")
    .groupBy(["microvms.image_arn", "microvms.image_version", "image_versions.request_json"])
    .execute();
  return rows.reduce((sum, row) => {
    const { resources } = JSON.parse(row.request_json) as SizedSettings;
    return sum + Number(row.count) * (resources?.[0]?.minimumMemoryInMiB ?? DEFAULT_MEMORY_MIB);
  }, 0);
}
