import type {
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  ListTagsLogGroupCommandInput,
  ListTagsLogGroupCommandOutput,
  TagLogGroupCommandInput,
  TagResourceCommandInput,
  UntagLogGroupCommandInput,
  UntagResourceCommandInput,
} from "@aws-sdk/client-cloudwatch-logs";
import { ServiceFault } from "../../errors/service-fault.ts";
import { updateGroup, type LogGroupRow } from "../../logs/log-groups.ts";
import type { LogDb } from "../../logs/log-tables.ts";
import type { Operation } from "../service.ts";
import { readTags, requireGroup, requireTagged, type LogsDependencies } from "./logs-lookup.ts";

/* Each twice: by ARN, and by the group's name as older clients do. */

const MAX_TAGS = 50;

export function tagResource({ db }: LogsDependencies): Operation<TagResourceCommandInput, object> {
  return async ({ resourceArn, tags }, context) =>
    setTags(db, await requireTagged(db, context, resourceArn), tags ?? {});
}

export function tagLogGroup({ db }: LogsDependencies): Operation<TagLogGroupCommandInput, object> {
  return async ({ logGroupName, tags }, context) =>
    setTags(db, await requireGroup(db, context, { logGroupName }), tags ?? {});
}

export function untagResource({ db }: LogsDependencies): Operation<UntagResourceCommandInput, object> {
  return async ({ resourceArn, tagKeys }, context) =>
    dropTags(db, await requireTagged(db, context, resourceArn), tagKeys ?? []);
}

export function untagLogGroup({ db }: LogsDependencies): Operation<UntagLogGroupCommandInput, object> {
  return async ({ logGroupName, tags }, context) =>
    dropTags(db, await requireGroup(db, context, { logGroupName }), tags ?? []);
}

export function listTagsForResource({
  db,
}: LogsDependencies): Operation<ListTagsForResourceCommandInput, Omit<ListTagsForResourceCommandOutput, "$metadata">> {
  return async ({ resourceArn }, context) => ({ tags: readTags(await requireTagged(db, context, resourceArn)) });
}

export function listTagsLogGroup({
  db,
}: LogsDependencies): Operation<ListTagsLogGroupCommandInput, Omit<ListTagsLogGroupCommandOutput, "$metadata">> {
  return async ({ logGroupName }, context) => ({ tags: readTags(await requireGroup(db, context, { logGroupName })) });
}

async function setTags(db: LogDb, group: LogGroupRow, tags: Readonly<Record<string, string>>): Promise<object> {
  const merged = { ...readTags(group), ...tags };
  if (Object.keys(merged).length > MAX_TAGS)
    throw new ServiceFault("TooManyTagsException", `A resource can have no more than ${MAX_TAGS} tags.`);
  await updateGroup(db, group.id, { tags_json: JSON.stringify(merged) });
  return {};
}

async function dropTags(db: LogDb, group: LogGroupRow, keys: readonly string[]): Promise<object> {
  const kept = Object.entries(readTags(group)).filter(([key]) => !keys.includes(key));
  await updateGroup(db, group.id, { tags_json: JSON.stringify(Object.fromEntries(kept)) });
  return {};
}
