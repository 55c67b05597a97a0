import { sql, type Kysely } from "kysely";
import type { Database } from "./tables.ts";

const MS_PER_DAY = 24 * 3_600_000;

/**
 * Makes one record of all runs, and one of all sleeps, that a microVM began on one day (UTC) and that ended before `time`
 * (epoch milliseconds). Sums stay as they are, and sleeping bytes become their mean. Tells of how many microVMs, of at most
 * `limit`. A sleep of more than a day stays as it is: its record is exact, and there are few.
 */
export async function foldUsage(db: Kysely<Database>, time: number, limit: number): Promise<number> {
  const isFoldable = sql`kind IN ('running', 'asleep') AND ended_at < ${time} AND ended_at - began_at < ${MS_PER_DAY}`;
  return db.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ microvm_id: string }>`select DISTINCT microvm_id FROM usage_records
      WHERE ${isFoldable} LIMIT ${limit}`.execute(transaction);
    if (rows.length === 0) return 0;
    const ofThese = sql`${isFoldable} AND microvm_id IN (${sql.join(rows.map(({ microvm_id }) => microvm_id))})`;
    await sql`INSERT INTO usage_records (host_id, account_id, region, kind, microvm_id, image_arn, image_version,
        baseline_mib, began_at, metered_until, ended_at, running_seconds, above_vcpu_seconds, above_gb_seconds,
        read_bytes, written_bytes, stored_bytes)
      SELECT host_id, account_id, region, 'day', microvm_id, image_arn, image_version,
        max(baseline_mib), min(began_at), max(ended_at), max(ended_at),
        sum(running_seconds), sum(above_vcpu_seconds), sum(above_gb_seconds), sum(read_bytes), sum(written_bytes),
        CAST(round(1.0 * sum(stored_bytes * (ended_at - began_at)) / max(1, max(ended_at) - min(began_at))) AS INTEGER)
      FROM usage_records WHERE ${ofThese} GROUP BY microvm_id, kind, CAST(began_at / ${MS_PER_DAY} AS INTEGER)`.execute(
      transaction,
    );
    await sql`DELETE FROM usage_records WHERE ${ofThese}`.execute(transaction);
    return rows.length;
  });
}
