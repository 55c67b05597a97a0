import type { DescribeLogGroupsCommandInput, DescribeLogGroupsCommandOutput } from "@aws-sdk/client-cloudwatch-logs";
import { listGroups } from "../../logs/log-groups.ts";
import { readPageToken, writePageToken } from "../page-token.ts";
import type { Operation } from "../service.ts";
import { invalidParameter } from "./logs-faults.ts";
import { groupArn, type LogsDependencies } from "./logs-lookup.ts";

type Output = Omit<DescribeLogGroupsCommandOutput, "$metadata">;

const DEFAULT_LIMIT = 50;

export function describeLogGroups({ db }: LogsDependencies): Operation<DescribeLogGroupsCommandInput, Output> {
  return async (
    { logGroupNamePrefix: prefix, logGroupNamePattern: part, nextToken, limit = DEFAULT_LIMIT },
    context,
  ) => {
    if (prefix !== undefined && part !== undefined)
      throw invalidParameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
    const scope = ["DescribeLogGroups", context.accountId, context.region, prefix ?? "", part ?? ""];
    const after = nextToken === undefined ? undefined : readPageToken(scope, nextToken);
    if (nextToken !== undefined && after === undefined) throw invalidParameter("The specified nextToken is invalid.");
    const rows = await listGroups(db, context, { prefix, part, after, limit: limit + 1 });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      logGroups: page.map((group) => ({
        logGroupName: group.name,
        creationTime: group.created_at,
        ...(group.retention_days === null ? {} : { retentionInDays: group.retention_days }),
        metricFilterCount: 0,
        arn: `${groupArn(group)}:*`,
        logGroupArn: groupArn(group),
        logGroupClass: "STANDARD",
        storedBytes: group.stored_bytes,
      })),
      ...(rows.length > limit && last ? { nextToken: writePageToken(scope, last.name) } : {}),
    };
  };
}
