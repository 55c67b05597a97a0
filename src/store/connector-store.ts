import type { Kysely, Selectable, Updateable } from "kysely";
import type { Database } from "./tables.ts";

export type ConnectorRow = Selectable<Database["network_connectors"]>;
export type ConnectorChange = Updateable<Database["network_connectors"]>;

export interface ConnectorOwner {
  readonly accountId: string;
  readonly region: string;
}

/** How long a deleted connector is remembered. */
const TOMBSTONE_MS = 24 * 60 * 60 * 1000;

/** By id, name or ARN; among deleted ones too when asked for, the last of that name then. */
export function findConnector(
  db: Kysely<Database>,
  owner: ConnectorOwner,
  by: { id: string } | { name: string } | { arn: string },
  { isDeleted = false }: { isDeleted?: boolean } = {},
): Promise<ConnectorRow | undefined> {
  const [column, value] =
    "id" in by ? (["id", by.id] as const) : "arn" in by ? (["arn", by.arn] as const) : (["name", by.name] as const);
  return db
    .selectFrom("network_connectors")
    .selectAll()
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region)
    .where(column, "=", value)
    .where("deleted_at", isDeleted ? "is not" : "is", null)
    .orderBy("deleted_at", "desc")
    .limit(1)
    .executeTakeFirst();
}

const ARN = /^(arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:network-connector:[a-zA-Z0-9-_]+)(?::[1-9]\d*)?$/;

/** By what a caller may write: an id, a name, or an ARN with or without a version (contract 8.2). */
export async function findConnectorNamed(
  db: Kysely<Database>,
  owner: ConnectorOwner,
  identifier: string,
  which: { isDeleted?: boolean } = {},
): Promise<ConnectorRow | undefined> {
  const arn = ARN.exec(identifier)?.[1];
  if (arn !== undefined) return findConnector(db, owner, { arn }, which);
  return (
    (await findConnector(db, owner, { id: identifier }, which)) ??
    (await findConnector(db, owner, { name: identifier }, which))
  );
}

/** Whoever's it is: for machines, whose requests were judged when they were made. */
export function findConnectorByArn(db: Kysely<Database>, arn: string): Promise<ConnectorRow | undefined> {
  return db
    .selectFrom("network_connectors")
    .selectAll()
    .where("arn", "=", arn)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
}

export async function insertConnector(db: Kysely<Database>, row: ConnectorRow): Promise<void> {
  await db.insertInto("network_connectors").values(row).execute();
}

export async function updateConnector(db: Kysely<Database>, id: string, change: ConnectorChange): Promise<void> {
  await db.updateTable("network_connectors").set(change).where("id", "=", id).execute();
}

/** Marks it deleted at `at`, and forgets what was deleted long before. */
export async function deleteConnectorRow(db: Kysely<Database>, id: string, at: number): Promise<void> {
  await updateConnector(db, id, { deleted_at: at });
  await db
    .deleteFrom("network_connectors")
    .where("deleted_at", "<", at - TOMBSTONE_MS)
    .execute();
}

/** Connectors of one owner by name, after the name `after`. */
export function listConnectors(
  db: Kysely<Database>,
  owner: ConnectorOwner,
  page: { after?: string; limit: number },
): Promise<ConnectorRow[]> {
  let query = db
    .selectFrom("network_connectors")
    .selectAll()
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region)
    .where("deleted_at", "is", null);
  if (page.after !== undefined) query = query.where("name", ">", page.after);
  return query.orderBy("name").limit(page.limit).execute();
}

export async function countConnectors(db: Kysely<Database>, owner: ConnectorOwner): Promise<number> {
  const row = await db
    .selectFrom("network_connectors")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("account_id", "=", owner.accountId)
    .where("region", "=", owner.region)
    .where("deleted_at", "is", null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export function connectorTags(row: ConnectorRow): Record<string, string> {
  return JSON.parse(row.tags_json) as Record<string, string>;
}
