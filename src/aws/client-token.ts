import type { Kysely } from "kysely";
import type { ServiceFault } from "../errors/service-fault.ts";
import { findAnswer, forgetAnswer, hashRequest, saveAnswer, type TokenKey } from "../store/idempotency-store.ts";
import type { Database } from "../store/tables.ts";
import type { OperationContext } from "./service.ts";

/** One call as its clientToken knows it. */
export interface TokenUse {
  readonly key: TokenKey;
  readonly requestHash: string;
}

export interface Replay<T> {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly stillExists: (response: T) => Promise<boolean>;
  /** The service's own fault for a token that came with other parameters before. */
  readonly conflict: (message: string) => ServiceFault;
}

/** Undefined when the request has no token. */
export function tokenUse(
  operation: string,
  input: { clientToken?: string },
  context: OperationContext,
): TokenUse | undefined {
  const { clientToken, ...request } = input;
  if (clientToken === undefined) return undefined;
  const key = { accountId: context.accountId, operation: `${context.region}:${operation}`, token: clientToken };
  return { key, requestHash: hashRequest(request) };
}

/**
 * The first answer to this token, if what it speaks of still exists. Where the service would replay the answer for a
 * thing that is gone, the token is forgotten instead: the call then does what it says. Throws `conflict` when the token
 * came with other parameters.
 */
export async function replay<T>(
  db: Kysely<Database>,
  use: TokenUse | undefined,
  { now, stillExists, conflict }: Replay<T>,
): Promise<T | undefined> {
  const stored = use && (await findAnswer(db, use.key, now));
  if (!use || !stored) return undefined;
  const response = reviveDates(stored.response) as T;
  if (!(await stillExists(response))) {
    await forgetAnswer(db, use.key);
    return undefined;
  }
  if (stored.requestHash !== use.requestHash) {
    throw conflict(`The client token ${use.key.token} was used before with different parameters`);
  }
  return response;
}

export async function remember(
  db: Kysely<Database>,
  use: TokenUse | undefined,
  response: unknown,
  now: number,
): Promise<void> {
  if (use) await saveAnswer(db, use.key, { requestHash: use.requestHash, response }, now);
}

const DATE_MEMBERS = ["createdAt", "updatedAt", "startedAt", "terminatedAt", "LastModified"];

function reviveDates(response: unknown): Record<string, unknown> {
  const members = { ...(response as Record<string, unknown>) };
  for (const name of DATE_MEMBERS) if (typeof members[name] === "string") members[name] = new Date(members[name]);
  return members;
}
