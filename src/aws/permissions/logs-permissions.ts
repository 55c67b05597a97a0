import type { PermissionRule, PermissionScope, PermissionTable } from "./permission.ts";

/*
 * CloudWatch Logs names the resource of its group actions `…:log-group:NAME:log-stream:` with nothing behind, so that
 * policies written with the customary `…:log-group:NAME:*` match.
 */

function streamArn({ region, accountId }: PermissionScope, group: string, stream = ""): string {
  return `arn:aws:logs:${region}:${accountId}:log-group:${group}:log-stream:${stream}`;
}

/** The group's name, also where a request gives its ARN. */
function groupName(given: unknown): string {
  const text = typeof given === "string" ? given : "";
  return /^arn:[^:]*:logs:[^:]*:[^:]*:log-group:([^:]*)/.exec(text)?.[1] ?? text;
}

interface GroupInput {
  readonly logGroupName?: unknown;
  readonly logGroupIdentifier?: unknown;
  readonly logStreamName?: string;
}

function onGroup(action: string): PermissionRule {
  return (input: GroupInput, scope) => [
    { action: `logs:${action}`, resource: streamArn(scope, groupName(input.logGroupName ?? input.logGroupIdentifier)) },
  ];
}

function onStream(action: string): PermissionRule {
  return (input: GroupInput, scope) => {
    const group = groupName(input.logGroupName ?? input.logGroupIdentifier);
    return [{ action: `logs:${action}`, resource: streamArn(scope, group, input.logStreamName) }];
  };
}

/** Groups are searched for by prefix: who may describe all whose names begin so. */
function describeGroups(action: string): PermissionRule {
  return ({ logGroupNamePrefix }, scope) => [
    {
      action: `logs:${action}`,
      resource: streamArn(scope, typeof logGroupNamePrefix === "string" ? logGroupNamePrefix : ""),
    },
  ];
}

function onTagged(action: string): PermissionRule {
  return ({ resourceArn }) => [
    { action: `logs:${action}`, resource: typeof resourceArn === "string" ? resourceArn : "*" },
  ];
}

const liveTail: PermissionRule = ({ logGroupIdentifiers }, scope) => {
  const groups: unknown[] = Array.isArray(logGroupIdentifiers) ? logGroupIdentifiers : [""];
  return groups.map((group) => ({ action: "logs:StartLiveTail", resource: streamArn(scope, groupName(group)) }));
};

export const LOGS_PERMISSIONS: PermissionTable = {
  CreateLogGroup: onGroup("CreateLogGroup"),
  DeleteLogGroup: onGroup("DeleteLogGroup"),
  DescribeLogGroups: describeGroups("DescribeLogGroups"),
  ListLogGroups: describeGroups("ListLogGroups"),
  PutRetentionPolicy: onGroup("PutRetentionPolicy"),
  DeleteRetentionPolicy: onGroup("DeleteRetentionPolicy"),
  CreateLogStream: onGroup("CreateLogStream"),
  DeleteLogStream: onStream("DeleteLogStream"),
  DescribeLogStreams: onGroup("DescribeLogStreams"),
  PutLogEvents: onStream("PutLogEvents"),
  GetLogEvents: onStream("GetLogEvents"),
  FilterLogEvents: onGroup("FilterLogEvents"),
  StartLiveTail: liveTail,
  TagLogGroup: onGroup("TagLogGroup"),
  UntagLogGroup: onGroup("UntagLogGroup"),
  ListTagsLogGroup: onGroup("ListTagsLogGroup"),
  TagResource: onTagged("TagResource"),
  UntagResource: onTagged("UntagResource"),
  ListTagsForResource: onTagged("ListTagsForResource"),
};
