import { sql, type Kysely } from "kysely";
import type { Database } from "./tables.ts";

/** An image version is stored for at least a week, deleted or not (contract 14). */
export const MIN_IMAGE_STORAGE_MS = 7 * 24 * 3_600_000;

/** Epoch milliseconds, `until` not included. */
export interface UsageRange {
  readonly from: number;
  readonly until: number;
}

/** What one microVM, or one image version, used within a range. */
export interface UsageSums {
  readonly region: string;
  readonly image_arn: string;
  readonly image_version: string;
  /** Null for the storage of the image version itself. */
  readonly microvm_id: string | null;
  /** Of the first stretch within the range. */
  readonly began_at: number;
  /** Size in MiB times seconds. */
  readonly baseline_mib_seconds: number;
  readonly above_vcpu_seconds: number;
  readonly above_gb_seconds: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  /** Bytes times milliseconds. */
  readonly stored_byte_ms: number;
}

/**
 * Adds up the stretches of an account, of all its Regions. Of one that only partly lies in the range its share by time
 * counts; what was read and written counts where the stretch begins.
 */
export async function sumUsage(
  db: Kysely<Database>,
  accountId: string,
  { from, until }: UsageRange,
): Promise<UsageSums[]> {
  const end = sql`CASE kind WHEN 'running' THEN metered_until
    WHEN 'image' THEN max(coalesce(ended_at, ${until}), began_at + ${MIN_IMAGE_STORAGE_MS}) ELSE coalesce(ended_at, ${until}) END`;
  const { rows } = await sql<UsageSums>`select region, image_arn, image_version, microvm_id, min(began_at) AS began_at,
      sum(share * running_seconds * baseline_mib) AS baseline_mib_seconds,
      sum(share * above_vcpu_seconds) AS above_vcpu_seconds, sum(share * above_gb_seconds) AS above_gb_seconds,
      sum(is_begun * read_bytes) AS read_bytes, sum(is_begun * written_bytes) AS written_bytes,
      sum(within_ms * stored_bytes) AS stored_byte_ms
    FROM (SELECT *, CASE WHEN end_at > began_at THEN 1.0 * within_ms / (end_at - began_at) ELSE is_begun END AS share
      FROM (SELECT *, max(0.0, min(end_at, ${until}) - max(began_at, ${from})) AS within_ms, began_at >= ${from} AS is_begun
        FROM (SELECT *, ${end} AS end_at FROM usage_records WHERE account_id = ${accountId} AND began_at < ${until})
        WHERE end_at >= ${from}))
    GROUP BY region, image_arn, image_version, microvm_id
    ORDER BY microvm_id IS NULL, min(began_at), microvm_id, image_arn, image_version`.execute(db);
  return rows;
}
