import { sql } from "kysely";
import { bytesOf } from "./log-events.ts";
import type { LogDb } from "./log-tables.ts";

const DAY_MS = 86_400_000;
/** Rows removed at a time: a long transaction would hold up those who write. */
const ROWS_AT_ONCE = 2_000;

/** Removes what is older than its group keeps, then the oldest events beyond `maxBytes` in all. Resolves with their number. */
export async function removeOldEvents(
  db: LogDb,
  { maxBytes, now }: { maxBytes: number; now: number },
): Promise<number> {
  let removed = 0;
  const groups = await db
    .selectFrom("log_groups")
    .select(["id", "retention_days"])
    .where("retention_days", "is not", null)
    .execute();
  for (const { id, retention_days: days } of groups)
    removed += await removeOldest(db, { groupId: id, before: now - (days ?? 0) * DAY_MS });
  while ((await storedBytes(db)) > maxBytes) {
    const some = await removeSome(db, {});
    if (some === 0) break;
    removed += some;
  }
  return removed;
}

async function removeOldest(db: LogDb, which: { groupId: number; before: number }): Promise<number> {
  let removed = 0;
  for (;;) {
    const some = await removeSome(db, which);
    removed += some;
    if (some < ROWS_AT_ONCE) return removed;
  }
}

function removeSome(db: LogDb, which: { groupId?: number; before?: number }): Promise<number> {
  return db.transaction().execute(async (within) => {
    let oldest = within.selectFrom("log_events").select(["id", "group_id", "message"]);
    if (which.groupId !== undefined) oldest = oldest.where("group_id", "=", which.groupId);
    if (which.before !== undefined) oldest = oldest.where("timestamp", "<", which.before);
    const rows = await oldest.orderBy("id").limit(ROWS_AT_ONCE).execute();
    if (rows.length === 0) return 0;
    await within
      .deleteFrom("log_events")
      .where(
        "id",
        "in",
        rows.map(({ id }) => id),
      )
      .execute();
    for (const [groupId, bytes] of bytesByGroup(rows))
      await within
        .updateTable("log_groups")
        .set({ stored_bytes: sql`max(0, stored_bytes - ${bytes})` })
        .where("id", "=", groupId)
        .execute();
    return rows.length;
  });
}

function bytesByGroup(rows: readonly { group_id: number; message: string }[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const row of rows) bytes.set(row.group_id, (bytes.get(row.group_id) ?? 0) + bytesOf([row]));
  return bytes;
}

async function storedBytes(db: LogDb): Promise<number> {
  const row = await db
    .selectFrom("log_groups")
    .select((select) => select.fn.sum<number>("stored_bytes").as("bytes"))
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}
