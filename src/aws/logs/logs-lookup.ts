import { findGroup, findStream, type LogGroupRow, type LogStreamRow } from "../../logs/log-groups.ts";
import type { LogDb } from "../../logs/log-tables.ts";
import type { OperationContext } from "../service.ts";
import { invalidParameter, noSuchGroup, noSuchStream } from "./logs-faults.ts";

export interface LogsDependencies {
  readonly db: LogDb;
  readonly now: () => number;
}

const GROUP_ARN = /^arn:aws[\w-]*:logs:([^:]*):(\d{12}):log-group:([^:]+)(?::\*)?$/;

export interface GroupMembers {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
}

/** The group that a request names, by its name or its ARN. */
export async function requireGroup(db: LogDb, context: OperationContext, members: GroupMembers): Promise<LogGroupRow> {
  const { logGroupName: name, logGroupIdentifier: identifier } = members;
  if ((name === undefined) === (identifier === undefined))
    throw invalidParameter("Exactly one of logGroupName and logGroupIdentifier is required.");
  const [, region, accountId, named] = GROUP_ARN.exec(identifier ?? "") ?? [];
  if (named === undefined && identifier?.startsWith("arn:")) throw invalidParameter("Invalid log group ARN.");
  // another account's groups are not there for this one
  if (accountId !== undefined && accountId !== context.accountId) throw noSuchGroup();
  const owner = { accountId: context.accountId, region: region ?? context.region };
  const group = await findGroup(db, owner, name ?? named ?? identifier ?? "");
  if (group === undefined) throw noSuchGroup();
  return group;
}

/** The group of an ARN, with or without the ":*" that list answers carry. */
export function requireTagged(db: LogDb, context: OperationContext, arn: string | undefined): Promise<LogGroupRow> {
  if (arn === undefined || !GROUP_ARN.test(arn)) throw invalidParameter(`Invalid resource ARN: ${arn ?? ""}`);
  return requireGroup(db, context, { logGroupIdentifier: arn });
}

export async function requireStream(db: LogDb, group: LogGroupRow, name: string): Promise<LogStreamRow> {
  const stream = await findStream(db, group.id, name);
  if (stream === undefined) throw noSuchStream();
  return stream;
}

export function groupArn(group: LogGroupRow): string {
  return `arn:aws:logs:${group.region}:${group.account_id}:log-group:${group.name}`;
}

export function readTags(group: LogGroupRow): Record<string, string> {
  return JSON.parse(group.tags_json) as Record<string, string>;
}
