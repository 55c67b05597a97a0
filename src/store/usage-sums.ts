import { setImmediate } from "node:timers/promises";
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

/** Records read at a time, some 10 ms: nothing else of the server waits for more. */
const RECORDS_AT_ONCE = 4_000;

/**
 * Adds up the stretches of an account, of all its Regions. Of one that only partly lies in the range its share by time
 * counts; what was read and written counts where the stretch begins. No records may be folded meanwhile.
 */
export async function sumUsage(db: Kysely<Database>, accountId: string, range: UsageRange): Promise<UsageSums[]> {
  const all = new Map<string, UsageSums>();
  const { last } = await db
    .selectFrom("usage_records")
    .select(({ fn }) => fn.max<number | null>("id").as("last"))
    .executeTakeFirstOrThrow();
  for (let after = 0; after < (last ?? 0); after += RECORDS_AT_ONCE) {
    for (const sums of await sumSome(db, accountId, { ...range, after })) {
      const key = `${sums.region} ${sums.image_arn} ${sums.image_version} ${sums.microvm_id}`;
      const before = all.get(key);
      all.set(key, before === undefined ? sums : add(before, sums));
    }
    await setImmediate();
  }
  return [...all.values()].toSorted((one, other) => one.began_at - other.began_at);
}

async function sumSome(
  db: Kysely<Database>,
  accountId: string,
  { from, until, after }: UsageRange & { after: number },
): Promise<UsageSums[]> {
  const end = sql`CASE kind WHEN 'running' THEN metered_until
    WHEN 'image' THEN max(coalesce(ended_at, ${until}), began_at + ${MIN_IMAGE_STORAGE_MS}) ELSE coalesce(ended_at, ${until}) END`;
  // A plus keeps SQLite from an index: of a range of ids everything is read anyway.
  const { rows } = await sql<UsageSums>`select region, image_arn, image_version, microvm_id, min(began_at) AS began_at,
      sum(share * running_seconds * baseline_mib) AS baseline_mib_seconds,
      sum(share * above_vcpu_seconds) AS above_vcpu_seconds, sum(share * above_gb_seconds) AS above_gb_seconds,
      sum(is_begun * read_bytes) AS read_bytes, sum(is_begun * written_bytes) AS written_bytes,
      sum(within_ms * stored_bytes) AS stored_byte_ms
    FROM (SELECT *, CASE WHEN end_at > began_at THEN 1.0 * within_ms / (end_at - began_at) ELSE is_begun END AS share
      FROM (SELECT *, max(0.0, min(end_at, ${until}) - max(began_at, ${from})) AS within_ms, began_at >= ${from} AS is_begun
        FROM (SELECT *, ${end} AS end_at FROM usage_records
          WHERE id > ${after} AND id <= ${after + RECORDS_AT_ONCE} AND +account_id = ${accountId} AND +began_at < ${until})
        WHERE end_at >= ${from}))
    GROUP BY region, image_arn, image_version, microvm_id`.execute(db);
  return rows;
}

function add(one: UsageSums, other: UsageSums): UsageSums {
  return {
    ...one,
    began_at: Math.min(one.began_at, other.began_at),
    baseline_mib_seconds: one.baseline_mib_seconds + other.baseline_mib_seconds,
    above_vcpu_seconds: one.above_vcpu_seconds + other.above_vcpu_seconds,
    above_gb_seconds: one.above_gb_seconds + other.above_gb_seconds,
    read_bytes: one.read_bytes + other.read_bytes,
    written_bytes: one.written_bytes + other.written_bytes,
    stored_byte_ms: one.stored_byte_ms + other.stored_byte_ms,
  };
}
