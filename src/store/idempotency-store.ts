import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Database } from "./tables.ts";

export interface TokenKey {
  readonly accountId: string;
  readonly operation: string;
  readonly token: string;
}

export interface StoredAnswer {
  readonly requestHash: string;
  readonly response: unknown;
}

/** How long a token is remembered; the service does not say (contract 19), SDKs retry within minutes. */
const RETENTION_MS = 24 * 60 * 60 * 1000;

/** A hash that is equal for equal requests, whatever the order of their members. */
export function hashRequest(request: unknown): string {
  return createHash("sha256").update(canonicalJson(request)).digest("hex");
}

export async function findAnswer(db: Kysely<Database>, key: TokenKey, now: number): Promise<StoredAnswer | undefined> {
  const row = await db
    .selectFrom("idempotency")
    .select(["request_hash", "response_json"])
    .where("account_id", "=", key.accountId)
    .where("operation", "=", key.operation)
    .where("token", "=", key.token)
    .where("created_at", ">", now - RETENTION_MS)
    .executeTakeFirst();
  return row && { requestHash: row.request_hash, response: JSON.parse(row.response_json) as unknown };
}

/** Remembers the answer to a token (again), and drops tokens past their time. */
export async function saveAnswer(
  db: Kysely<Database>,
  key: TokenKey,
  answer: StoredAnswer,
  now: number,
): Promise<void> {
  const content = { request_hash: answer.requestHash, response_json: JSON.stringify(answer.response), created_at: now };
  await db
    .deleteFrom("idempotency")
    .where("created_at", "<=", now - RETENTION_MS)
    .execute();
  await db
    .insertInto("idempotency")
    .values({ account_id: key.accountId, operation: key.operation, token: key.token, ...content })
    .onConflict((conflict) => conflict.columns(["account_id", "operation", "token"]).doUpdateSet(content))
    .execute();
}

export async function forgetAnswer(db: Kysely<Database>, key: TokenKey): Promise<void> {
  await db
    .deleteFrom("idempotency")
    .where("account_id", "=", key.accountId)
    .where("operation", "=", key.operation)
    .where("token", "=", key.token)
    .execute();
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
