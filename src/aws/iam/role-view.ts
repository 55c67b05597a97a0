import type { Role, Tag } from "@aws-sdk/client-iam";
import type { Kysely } from "kysely";
import { findRole, type RoleRow } from "../../store/iam-store.ts";
import type { Database } from "../../store/tables.ts";
import type { Store } from "../../store/store.ts";
import type { OperationContext } from "../service.ts";
import { invalidInput, limitExceeded, noSuchRole } from "./iam-faults.ts";
import { encodePolicyText } from "./policy-text.ts";

export interface IamDependencies {
  readonly store: Store;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const MAX_TAGS = 50;

/** The caller's role of that name; throws NoSuchEntity. */
export async function requireRole(db: Kysely<Database>, context: OperationContext, name: string): Promise<RoleRow> {
  const row = await findRole(db, { accountId: context.accountId, name });
  if (!row) throw noSuchRole(name);
  return row;
}

export function roleView(row: RoleRow): Role {
  return {
    Path: row.path,
    RoleName: row.name,
    RoleId: row.role_id,
    Arn: row.arn,
    CreateDate: new Date(row.created_at),
    AssumeRolePolicyDocument: encodePolicyText(row.trust_policy),
    Description: row.description ?? undefined,
    MaxSessionDuration: row.max_session_seconds,
  };
}

export function readTags(row: RoleRow): Tag[] {
  return JSON.parse(row.tags_json) as Tag[];
}

/** Adds to or replaces in `present`; tag keys differ by more than case. Throws InvalidInput, LimitExceeded. */
export function mergeTags(present: readonly Tag[], given: readonly Tag[]): Tag[] {
  const keys = given.map((tag) => tag.Key?.toLowerCase());
  if (new Set(keys).size !== keys.length)
    throw invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
  if (keys.some((key) => key?.startsWith("aws:")))
    throw invalidInput("Tag keys must not begin with aws:, which is reserved.");
  const kept = present.filter((tag) => !keys.includes(tag.Key?.toLowerCase()));
  const merged = [...kept, ...given.map(({ Key, Value }) => ({ Key, Value }))];
  if (merged.length > MAX_TAGS) throw limitExceeded(`Cannot exceed quota for TagsPerRole: ${MAX_TAGS}`);
  return merged;
}
