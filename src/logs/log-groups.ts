import type { Selectable, Transaction } from "kysely";
import type { LogDb, LogTables } from "./log-tables.ts";

export interface LogOwner {
  readonly accountId: string;
  readonly region: string;
}

export type LogGroupRow = Selectable<LogTables["log_groups"]>;
export type LogStreamRow = Selectable<LogTables["log_streams"]>;
type Db = LogDb | Transaction<LogTables>;

export function findGroup(db: Db, owner: LogOwner, name: string): Promise<LogGroupRow | undefined> {
  return db
    .selectFrom("log_groups")
    .selectAll()
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region)
    .where("name", "=", name)
    .executeTakeFirst();
}

/** False when there is one of this name already. */
export async function insertGroup(
  db: Db,
  owner: LogOwner,
  group: { name: string; createdAt: number; tags?: Readonly<Record<string, string>> },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("log_groups")
    .values({
      account_id: owner.accountId,
      region: owner.region,
      name: group.name,
      created_at: group.createdAt,
      tags_json: JSON.stringify(group.tags ?? {}),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function updateGroup(
  db: Db,
  id: number,
  change: Partial<Pick<LogGroupRow, "retention_days" | "tags_json">>,
): Promise<void> {
  await db.updateTable("log_groups").set(change).where("id", "=", id).execute();
}

/** With its streams and events. */
export async function deleteGroup(db: Db, id: number): Promise<void> {
  await db.deleteFrom("log_groups").where("id", "=", id).execute();
}

/** Groups after `after` in the order of their names. */
export function listGroups(
  db: Db,
  owner: LogOwner,
  filter: { prefix?: string; part?: string; after?: string; limit: number },
): Promise<LogGroupRow[]> {
  let query = db
    .selectFrom("log_groups")
    .selectAll()
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region);
  if (filter.prefix !== undefined)
    query = query.where("name", ">=", filter.prefix).where("name", "<", after(filter.prefix));
  if (filter.part !== undefined)
    query = query.where((where) => where(where.fn<number>("instr", ["name", where.val(filter.part)]), ">", 0));
  if (filter.after !== undefined) query = query.where("name", ">", filter.after);
  return query.orderBy("name").limit(filter.limit).execute();
}

export function findStream(db: Db, groupId: number, name: string): Promise<LogStreamRow | undefined> {
  return db
    .selectFrom("log_streams")
    .selectAll()
    .where("group_id", "=", groupId)
    .where("name", "=", name)
    .executeTakeFirst();
}

/** False when there is one of this name already. */
export async function insertStream(
  db: Db,
  groupId: number,
  stream: { name: string; createdAt: number },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("log_streams")
    .values({ group_id: groupId, name: stream.name, created_at: stream.createdAt })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function deleteStream(db: Db, id: number): Promise<void> {
  await db.deleteFrom("log_streams").where("id", "=", id).execute();
}

export interface StreamFilter {
  readonly prefix?: string;
  readonly byLastEvent?: boolean;
  readonly descending?: boolean;
  /** Rows that the reader has seen: the order is not stable while events arrive, nor is the service's. */
  readonly skip: number;
  readonly limit: number;
}

export function listStreams(db: Db, groupId: number, filter: StreamFilter): Promise<LogStreamRow[]> {
  const direction = filter.descending === true ? "desc" : "asc";
  let query = db.selectFrom("log_streams").selectAll().where("group_id", "=", groupId);
  if (filter.prefix !== undefined)
    query = query.where("name", ">=", filter.prefix).where("name", "<", after(filter.prefix));
  if (filter.byLastEvent === true) query = query.orderBy("last_event_at", direction);
  return query.orderBy("name", direction).limit(filter.limit).offset(filter.skip).execute();
}

/** The group and the stream of these names, made when they are missing. */
export async function ensureStream(
  db: LogDb,
  owner: LogOwner,
  names: { group: string; stream: string; now: number },
): Promise<LogStreamRow> {
  return db.transaction().execute(async (within) => {
    await insertGroup(within, owner, { name: names.group, createdAt: names.now });
    const group = await findGroup(within, owner, names.group);
    const groupId = group?.id ?? 0;
    await insertStream(within, groupId, { name: names.stream, createdAt: names.now });
    return within
      .selectFrom("log_streams")
      .selectAll()
      .where("group_id", "=", groupId)
      .where("name", "=", names.stream)
      .executeTakeFirstOrThrow();
  });
}

/** The least string that no string with this prefix reaches. */
function after(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}
