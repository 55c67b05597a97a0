import { boolean, integer, list, map, structure, text, type StructureShape } from "../../model/constraint-shape.ts";
import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { invalidParameter } from "./logs-faults.ts";

/* Members of the CloudWatch Logs operations as its API reference bounds them. */

const group = text(1, 512, "[\\.\\-_/#A-Za-z0-9]+");
const groupIdentifier = text(1, 2048, "[\\w#+=/:,.@-]*");
const stream = text(1, 512, "[^:*]*");
const nextToken = text(1);
const tags = map(text(1, 128, "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)"), text(0, 256, "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)"), {
  min: 1,
  max: 50,
});
const time = integer(0);
const inGroup = { "logGroupName!": group };
const ofGroup = { logGroupName: group, logGroupIdentifier: groupIdentifier };
const arn = text(1, 1011, "[\\w+=/:,.@\\-\\*]*");

const LOGS_CONSTRAINTS = {
  CreateLogGroup: structure({ ...inGroup, kmsKeyId: text(0, 256), tags }),
  DeleteLogGroup: structure(inGroup),
  DescribeLogGroups: structure({
    logGroupNamePrefix: group,
    logGroupNamePattern: text(0, 512, "[\\.\\-_/#A-Za-z0-9]*"),
    nextToken,
    limit: integer(1, 50),
  }),
  PutRetentionPolicy: structure({ ...inGroup, "retentionInDays!": integer() }),
  DeleteRetentionPolicy: structure(inGroup),
  CreateLogStream: structure({ ...inGroup, "logStreamName!": stream }),
  DeleteLogStream: structure({ ...inGroup, "logStreamName!": stream }),
  DescribeLogStreams: structure({
    ...ofGroup,
    logStreamNamePrefix: stream,
    descending: boolean(),
    nextToken,
    limit: integer(1, 50),
  }),
  PutLogEvents: structure({
    ...inGroup,
    "logStreamName!": stream,
    "logEvents!": list(structure({ "timestamp!": time, "message!": text(1) }), 1, 10_000),
  }),
  GetLogEvents: structure({
    ...ofGroup,
    "logStreamName!": stream,
    startTime: time,
    endTime: time,
    nextToken,
    limit: integer(1, 10_000),
    startFromHead: boolean(),
  }),
  FilterLogEvents: structure({
    ...ofGroup,
    logStreamNames: list(stream, 1, 100),
    logStreamNamePrefix: stream,
    startTime: time,
    endTime: time,
    filterPattern: text(0, 1024),
    nextToken,
    limit: integer(1, 10_000),
  }),
  TagLogGroup: structure({ ...inGroup, "tags!": tags }),
  UntagLogGroup: structure({ ...inGroup, "tags!": list(text(1, 128), 1) }),
  ListTagsLogGroup: structure(inGroup),
  TagResource: structure({ "resourceArn!": arn, "tags!": tags }),
  UntagResource: structure({ "resourceArn!": arn, "tagKeys!": list(text(1, 128), 0, 50) }),
  ListTagsForResource: structure({ "resourceArn!": arn }),
} as const satisfies Record<string, StructureShape>;

export type LogsOperationName = keyof typeof LOGS_CONSTRAINTS;

/** Throws InvalidParameterException for members out of shape. */
export function checkLogsInput(operation: LogsOperationName, input: unknown): void {
  const violations = findViolations(LOGS_CONSTRAINTS[operation], input);
  if (violations.length > 0) throw invalidParameter(describeViolations(violations));
}
