import { sql, type Insertable, type Kysely, type Selectable } from "kysely";
import type { Database } from "./tables.ts";

export type UsageRow = Selectable<Database["usage_records"]>;
export type NewUsageRow = Insertable<Database["usage_records"]>;

type Db = Kysely<Database>;

/** How far a running stretch has come; totals, so that writing it twice changes nothing. */
export interface UsageProgress {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly meteredUntil: number;
  readonly cpuSeconds: number;
  readonly runningSeconds: number;
  readonly aboveVcpuSeconds: number;
  readonly aboveGbSeconds: number;
}

export async function insertUsage(db: Db, row: NewUsageRow): Promise<number> {
  const { id } = await db.insertInto("usage_records").values(row).returning("id").executeTakeFirstOrThrow();
  return id;
}

/** The open stretch of a microVM, or else the one that ended last. */
export function lastUsageOf(db: Db, microvmId: string): Promise<UsageRow | undefined> {
  return db
    .selectFrom("usage_records")
    .selectAll()
    .where("microvm_id", "=", microvmId)
    .orderBy(sql`ended_at IS NULL`, "desc")
    .orderBy("ended_at", "desc")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** One statement for all of them; a stretch that has ended meanwhile stays as it ended. */
export async function saveUsageProgress(db: Db, all: readonly UsageProgress[]): Promise<void> {
  if (all.length === 0) return;
  const rows = all.map((each) => [
    each.id,
    each.meteredUntil,
    each.cpuSeconds,
    each.runningSeconds,
    each.aboveVcpuSeconds,
    each.aboveGbSeconds,
  ]);
  await sql`
    UPDATE usage_records SET metered_until = value ->> 1, cpu_seconds = value ->> 2, running_seconds = value ->> 3,
      above_vcpu_seconds = value ->> 4, above_gb_seconds = value ->> 5
    FROM json_each(${JSON.stringify(rows)})
    WHERE usage_records.id = value ->> 0 AND ended_at IS NULL AND metered_until <= value ->> 1
  `.execute(db);
}

/**
 * Ends a running stretch at this progress and begins another there: a range then tells what was used within it to the hour.
 * The id of the new one; undefined when the stretch has ended meanwhile.
 */
export async function splitUsage(db: Db, at: UsageProgress): Promise<number | undefined> {
  await saveUsageProgress(db, [at]);
  const ended = await db
    .updateTable("usage_records")
    .set({ ended_at: sql<number>`metered_until` })
    .where("id", "=", at.id)
    .where("ended_at", "is", null)
    .returningAll()
    .executeTakeFirst();
  if (ended === undefined) return undefined;
  const { id: _, running_seconds: _r, above_vcpu_seconds: _v, above_gb_seconds: _g, ...kept } = ended;
  return insertUsage(db, { ...kept, began_at: ended.metered_until, ended_at: null, read_bytes: 0 });
}

/** Ends the open stretch of a microVM: a sleep at `at` (epoch milliseconds), a run where it was counted last. */
export async function endUsageOf(db: Db, microvmId: string, at: number): Promise<void> {
  await db
    .updateTable("usage_records")
    .set({ ended_at: sql<number>`CASE kind WHEN 'running' THEN metered_until ELSE max(began_at, ${at}) END` })
    .where("microvm_id", "=", microvmId)
    .where("ended_at", "is", null)
    .execute();
}

/** From here on a version of an image is stored. */
export async function beginImageUsage(
  db: Db,
  build: { readonly host_id: string; readonly image_arn: string; readonly version: string },
  { at, storedBytes }: { at: number; storedBytes: number },
): Promise<void> {
  const image = await db
    .selectFrom("images")
    .select(["account_id", "region"])
    .where("arn", "=", build.image_arn)
    .executeTakeFirstOrThrow();
  await insertUsage(db, {
    ...image,
    host_id: build.host_id,
    kind: "image",
    microvm_id: null,
    image_arn: build.image_arn,
    image_version: build.version,
    baseline_mib: 0,
    began_at: at,
    metered_until: at,
    ended_at: null,
    process: null,
    stored_bytes: storedBytes,
  });
}

/** Ends the storage of an image's versions, or of one of them. */
export async function endImageUsage(
  db: Db,
  { imageArn, version }: { imageArn: string; version?: string },
  at: number,
): Promise<void> {
  let query = db
    .updateTable("usage_records")
    .set({ ended_at: sql<number>`max(began_at, ${at})` })
    .where("kind", "=", "image")
    .where("ended_at", "is", null)
    .where("image_arn", "=", imageArn);
  if (version !== undefined) query = query.where("image_version", "=", version);
  await query.execute();
}

/** Bytes that sleepers and images of this host take now, by Region. */
export function openStorage(db: Db, hostId: string): Promise<{ region: string; bytes: number }[]> {
  return db
    .selectFrom("usage_records")
    .select(({ fn }) => ["region", fn.sum<number>("stored_bytes").as("bytes")])
    .where("kind", "in", ["asleep", "image"])
    .where("ended_at", "is", null)
    .where("host_id", "=", hostId)
    .groupBy("region")
    .execute();
}

/** Forgets stretches that ended before `time` (epoch milliseconds). */
export async function purgeUsage(db: Db, time: number): Promise<void> {
  await db.deleteFrom("usage_records").where("ended_at", "<", time).execute();
}
