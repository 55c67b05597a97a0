import type { DescribeLogStreamsCommandInput, DescribeLogStreamsCommandOutput } from "@aws-sdk/client-cloudwatch-logs";
import { listStreams, type LogGroupRow, type LogStreamRow } from "../../logs/log-groups.ts";
import { readPageToken, writePageToken } from "../page-token.ts";
import type { Operation } from "../service.ts";
import { invalidParameter } from "./logs-faults.ts";
import { groupArn, requireGroup, type LogsDependencies } from "./logs-lookup.ts";

type Output = Omit<DescribeLogStreamsCommandOutput, "$metadata">;

const DEFAULT_LIMIT = 50;

export function describeLogStreams({ db }: LogsDependencies): Operation<DescribeLogStreamsCommandInput, Output> {
  return async (input, context) => {
    const { logStreamNamePrefix: prefix, orderBy = "LogStreamName", descending = false, limit = DEFAULT_LIMIT } = input;
    if (orderBy === "LastEventTime" && prefix !== undefined)
      throw invalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
    const group = await requireGroup(db, context, input);
    const scope = ["DescribeLogStreams", groupArn(group), prefix ?? "", orderBy, String(descending)];
    const position = input.nextToken === undefined ? "0" : readPageToken(scope, input.nextToken);
    if (position === undefined) throw invalidParameter("The specified nextToken is invalid.");
    const skip = Number(position);
    const byLastEvent = orderBy === "LastEventTime";
    const rows = await listStreams(db, group.id, { prefix, byLastEvent, descending, skip, limit: limit + 1 });
    return {
      logStreams: rows.slice(0, limit).map((row) => streamView(group, row)),
      ...(rows.length > limit ? { nextToken: writePageToken(scope, String(skip + limit)) } : {}),
    };
  };
}

function streamView(group: LogGroupRow, row: LogStreamRow) {
  return {
    logStreamName: row.name,
    creationTime: row.created_at,
    firstEventTimestamp: row.first_event_at ?? undefined,
    lastEventTimestamp: row.last_event_at ?? undefined,
    lastIngestionTime: row.last_ingested_at ?? undefined,
    arn: `${groupArn(group)}:log-stream:${row.name}`,
    storedBytes: 0, // the service has not told it since 2019
  };
}
