import { sql, type Kysely } from "kysely";
import type { Database } from "./tables.ts";

/**
 * Makes one record of all stretches of each microVM that ended before `time` (epoch milliseconds), of at most `limit` at a
 * time; tells of how many. Sums stay as they are, and sleeping bytes become their mean over the life.
 */
export async function foldUsage(db: Kysely<Database>, time: number, limit: number): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    const ended = await sql<{ microvm_id: string }>`select microvm_id FROM usage_records
      WHERE kind IN ('running', 'asleep') AND microvm_id IS NOT NULL GROUP BY microvm_id
      HAVING count(*) = count(ended_at) AND max(ended_at) < ${time} LIMIT ${limit}`.execute(transaction);
    if (ended.rows.length === 0) return 0;
    const ids = sql.join(ended.rows.map(({ microvm_id }) => microvm_id));
    const last = await transaction
      .selectFrom("usage_records")
      .select(({ fn }) => fn.max<number>("id").as("id"))
      .executeTakeFirstOrThrow();
    await sql`INSERT INTO usage_records (host_id, account_id, region, kind, microvm_id, image_arn, image_version,
        baseline_mib, began_at, metered_until, ended_at, running_seconds, above_vcpu_seconds, above_gb_seconds,
        read_bytes, written_bytes, stored_bytes)
      SELECT host_id, account_id, region, 'life', microvm_id, image_arn, image_version,
        max(baseline_mib), min(began_at), max(ended_at), max(ended_at),
        sum(running_seconds), sum(above_vcpu_seconds), sum(above_gb_seconds), sum(read_bytes), sum(written_bytes),
        CAST(round(1.0 * sum(stored_bytes * (ended_at - began_at)) / max(1, max(ended_at) - min(began_at))) AS INTEGER)
      FROM usage_records WHERE microvm_id IN (${ids}) GROUP BY microvm_id`.execute(transaction);
    await sql`DELETE FROM usage_records WHERE microvm_id IN (${ids}) AND id <= ${last.id}`.execute(transaction);
    return ended.rows.length;
  });
}
