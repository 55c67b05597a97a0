import type { Kysely, Selectable } from "kysely";
import type { Database } from "./tables.ts";

export type RoleRow = Selectable<Database["iam_roles"]>;
export type RolePolicyRow = Selectable<Database["iam_role_policies"]>;

export interface RoleKey {
  readonly accountId: string;
  readonly name: string;
}

interface Page {
  readonly after?: string;
  readonly limit?: number;
}

/** Role names are unique whatever their case, as in IAM; the row keeps the spelling it was made with. */
export function findRole(db: Kysely<Database>, key: RoleKey): Promise<RoleRow | undefined> {
  return db
    .selectFrom("iam_roles")
    .selectAll()
    .where("account_id", "=", key.accountId)
    .where((where) => where(where.fn<string>("lower", ["name"]), "=", key.name.toLowerCase()))
    .executeTakeFirst();
}

export async function insertRole(db: Kysely<Database>, row: RoleRow): Promise<void> {
  await db.insertInto("iam_roles").values(row).execute();
}

export async function updateRole(
  db: Kysely<Database>,
  key: RoleKey,
  change: Partial<Pick<RoleRow, "trust_policy" | "description" | "max_session_seconds" | "tags_json">>,
): Promise<void> {
  if (Object.values(change).every((value) => value === undefined)) return;
  await db
    .updateTable("iam_roles")
    .set(change)
    .where("account_id", "=", key.accountId)
    .where("name", "=", key.name)
    .execute();
}

export async function deleteRoleRow(db: Kysely<Database>, key: RoleKey): Promise<void> {
  await db.deleteFrom("iam_roles").where("account_id", "=", key.accountId).where("name", "=", key.name).execute();
}

/** Roles whose path begins with `pathPrefix`, by name. */
export function listRoles(
  db: Kysely<Database>,
  of: { accountId: string; pathPrefix: string },
  page: Page = {},
): Promise<RoleRow[]> {
  let query = db.selectFrom("iam_roles").selectAll().where("account_id", "=", of.accountId);
  query = query.where((where) =>
    where(where.fn<string>("substr", ["path", where.val(1), where.val(of.pathPrefix.length)]), "=", of.pathPrefix),
  );
  if (page.after !== undefined) query = query.where("name", ">", page.after);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return query.orderBy("name").execute();
}

export function findRolePolicy(
  db: Kysely<Database>,
  key: RoleKey,
  policyName: string,
): Promise<RolePolicyRow | undefined> {
  return db
    .selectFrom("iam_role_policies")
    .selectAll()
    .where("account_id", "=", key.accountId)
    .where("role_name", "=", key.name)
    .where("policy_name", "=", policyName)
    .executeTakeFirst();
}

export function listRolePolicies(db: Kysely<Database>, key: RoleKey, page: Page = {}): Promise<RolePolicyRow[]> {
  let query = db
    .selectFrom("iam_role_policies")
    .selectAll()
    .where("account_id", "=", key.accountId)
    .where("role_name", "=", key.name);
  if (page.after !== undefined) query = query.where("policy_name", ">", page.after);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return query.orderBy("policy_name").execute();
}

export async function putRolePolicyRow(db: Kysely<Database>, row: RolePolicyRow): Promise<void> {
  await db
    .insertInto("iam_role_policies")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["account_id", "role_name", "policy_name"]).doUpdateSet({ document: row.document }),
    )
    .execute();
}

/** False when there was none of that name. */
export async function deleteRolePolicyRow(db: Kysely<Database>, key: RoleKey, policyName: string): Promise<boolean> {
  const result = await db
    .deleteFrom("iam_role_policies")
    .where("account_id", "=", key.accountId)
    .where("role_name", "=", key.name)
    .where("policy_name", "=", policyName)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
