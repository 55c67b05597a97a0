import type { Kysely, Selectable } from "kysely";
import type { Database } from "./tables.ts";

export type SessionRow = Selectable<Database["role_sessions"]>;

/** How long an expired session is remembered, so that its user is told "expired" rather than "unknown". */
const AFTERLIFE_MS = 24 * 60 * 60 * 1000;

export function findSession(db: Kysely<Database>, accessKeyId: string): Promise<SessionRow | undefined> {
  return db.selectFrom("role_sessions").selectAll().where("access_key_id", "=", accessKeyId).executeTakeFirst();
}

/** The session of a microVM that lasts longest. */
export function findMicrovmSession(db: Kysely<Database>, microvmId: string): Promise<SessionRow | undefined> {
  return db
    .selectFrom("role_sessions")
    .selectAll()
    .where("microvm_id", "=", microvmId)
    .orderBy("expires_at", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** Records a session and drops those that ended long ago. */
export async function insertSession(db: Kysely<Database>, row: SessionRow): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .deleteFrom("role_sessions")
      .where("expires_at", "<", row.issued_at - AFTERLIFE_MS)
      .execute();
    await tx.insertInto("role_sessions").values(row).execute();
  });
}
