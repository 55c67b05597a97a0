import * as schemas from "@aws-sdk/client-cloudwatch-logs";
import { operationNames } from "../operation-names.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { createLogGroup } from "./create-log-group.ts";
import { createLogStream } from "./create-log-stream.ts";
import { deleteLogGroup } from "./delete-log-group.ts";
import { deleteLogStream } from "./delete-log-stream.ts";
import { describeLogGroups } from "./describe-log-groups.ts";
import { describeLogStreams } from "./describe-log-streams.ts";
import { filterLogEvents } from "./filter-log-events.ts";
import { getLogEvents } from "./get-log-events.ts";
import {
  listTagsForResource,
  listTagsLogGroup,
  tagLogGroup,
  tagResource,
  untagLogGroup,
  untagResource,
} from "./group-tags.ts";
import { checkLogsInput, type LogsOperationName } from "./logs-constraints.ts";
import { invalidParameter } from "./logs-faults.ts";
import type { LogsDependencies } from "./logs-lookup.ts";
import { putLogEvents } from "./put-log-events.ts";
import { deleteRetentionPolicy, putRetentionPolicy } from "./retention-policy.ts";

/** CloudWatch Logs as far as microVMs and those who read their output need it. Everything else says that it is not there. */
export function createLogsService({
  db,
  now = Date.now,
}: Pick<LogsDependencies, "db"> & Partial<LogsDependencies>): ServiceDefinition {
  const dependencies: LogsDependencies = { db, now };
  const operations: Record<LogsOperationName, Operation> = {
    CreateLogGroup: createLogGroup(dependencies),
    DeleteLogGroup: deleteLogGroup(dependencies),
    DescribeLogGroups: describeLogGroups(dependencies),
    PutRetentionPolicy: putRetentionPolicy(dependencies),
    DeleteRetentionPolicy: deleteRetentionPolicy(dependencies),
    CreateLogStream: createLogStream(dependencies),
    DeleteLogStream: deleteLogStream(dependencies),
    DescribeLogStreams: describeLogStreams(dependencies),
    PutLogEvents: putLogEvents(dependencies),
    GetLogEvents: getLogEvents(dependencies),
    FilterLogEvents: filterLogEvents(dependencies),
    TagLogGroup: tagLogGroup(dependencies),
    UntagLogGroup: untagLogGroup(dependencies),
    ListTagsLogGroup: listTagsLogGroup(dependencies),
    TagResource: tagResource(dependencies),
    UntagResource: untagResource(dependencies),
    ListTagsForResource: listTagsForResource(dependencies),
  };
  const checked = Object.entries(operations).map(([name, operation]): [string, Operation] => [
    name,
    async (input, context) => {
      checkLogsInput(name as LogsOperationName, input);
      return operation(input, context);
    },
  ]);
  const refused = operationNames(schemas).map((name): [string, Operation] => [name, notSupported(name)]);
  return {
    signingName: "logs",
    protocol: "awsJson1_1",
    schemas,
    targetPrefix: "Logs_20140328",
    operations: { ...Object.fromEntries(refused), ...Object.fromEntries(checked) },
  };
}

function notSupported(name: string): Operation {
  return async () => {
    throw invalidParameter(
      `${name} is not supported by Catnap: it knows log groups, streams, events, retention and tags (PutLogEvents, FilterLogEvents, ...).`,
    );
  };
}
