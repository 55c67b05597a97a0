import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteLogStreamCommand,
  DeleteRetentionPolicyCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  ListTagsForResourceCommand,
  ListTagsLogGroupCommand,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
  StartQueryCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { expect, onTestFinished, test } from "vitest";
import { TEST_ACCOUNT, TEST_KEY, useApiEndpoint } from "../../../test/support/api-endpoint.ts";
import { openLogStore } from "../../logs/log-store.ts";
import { createLogsService } from "./logs-service.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const HOUR_MS = 3_600_000;
const ARN = `arn:aws:logs:us-east-1:${TEST_ACCOUNT}:log-group:/app`;

async function useLogs() {
  const store = openLogStore(":memory:");
  onTestFinished(() => store.close());
  const { url } = await useApiEndpoint([createLogsService({ db: store.db, now: () => NOW })]);
  const client = new CloudWatchLogsClient({
    endpoint: url,
    region: "us-east-1",
    credentials: TEST_KEY,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

/** A group with a stream. */
async function useStream() {
  const client = await useLogs();
  const names = { logGroupName: "/app", logStreamName: "2026/11/20[1.0]a" };
  await client.send(new CreateLogGroupCommand({ logGroupName: names.logGroupName }));
  await client.send(new CreateLogStreamCommand(names));
  const put = (...messages: string[]) =>
    client.send(
      new PutLogEventsCommand({
        ...names,
        logEvents: messages.map((message, at) => ({ message, timestamp: NOW + at })),
      }),
    );
  return { client, names, put };
}

test("groups are made, described page by page, tagged, kept for days and deleted", async () => {
  const client = await useLogs();
  for (let index = 0; index < 60; index++)
    await client.send(new CreateLogGroupCommand({ logGroupName: `/g/${index}`, tags: { n: String(index) } }));
  const names: (string | undefined)[] = [];
  for await (const page of paginateDescribeLogGroups({ client }, { logGroupNamePrefix: "/g/" }))
    names.push(...(page.logGroups ?? []).map(({ logGroupName }) => logGroupName));
  expect(names).toEqual(Array.from({ length: 60 }, (_, index) => `/g/${index}`).toSorted());
  await client.send(new PutRetentionPolicyCommand({ logGroupName: "/g/7", retentionInDays: 14 }));
  const arn = `arn:aws:logs:us-east-1:${TEST_ACCOUNT}:log-group:/g/7`;
  const { logGroups } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePattern: "g/7" }));
  expect(logGroups).toEqual([
    {
      logGroupName: "/g/7",
      creationTime: NOW,
      retentionInDays: 14,
      metricFilterCount: 0,
      arn: `${arn}:*`,
      logGroupArn: arn,
      logGroupClass: "STANDARD",
      storedBytes: 0,
    },
  ]);
  await client.send(new DeleteRetentionPolicyCommand({ logGroupName: "/g/7" }));
  await client.send(new TagResourceCommand({ resourceArn: arn, tags: { team: "a" } }));
  await client.send(new UntagResourceCommand({ resourceArn: `${arn}:*`, tagKeys: ["n"] }));
  expect((await client.send(new ListTagsForResourceCommand({ resourceArn: arn }))).tags).toEqual({ team: "a" });
  expect((await client.send(new ListTagsLogGroupCommand({ logGroupName: "/g/7" }))).tags).toEqual({ team: "a" });
  await client.send(new DeleteLogGroupCommand({ logGroupName: "/g/7" }));
  expect((await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: "/g/7" }))).logGroups).toEqual([]);
});

test("a stream is read forwards and backwards, and its end is where the token stays the same", async () => {
  const { client, names, put } = await useStream();
  await put(...Array.from({ length: 25 }, (_, index) => `m${index}`));
  const read = (input: object) => client.send(new GetLogEventsCommand({ ...names, limit: 10, ...input }));
  const text = ({ events = [] }: { events?: { message?: string }[] | undefined }) =>
    events.map(({ message }) => message);
  const first = await read({ startFromHead: true });
  expect(text(first)).toEqual(Array.from({ length: 10 }, (_, index) => `m${index}`));
  const second = await read({ nextToken: first.nextForwardToken });
  const third = await read({ nextToken: second.nextForwardToken });
  expect([text(second)[0], text(third)]).toEqual(["m10", ["m20", "m21", "m22", "m23", "m24"]]);
  const end = await read({ nextToken: third.nextForwardToken });
  expect([text(end), end.nextForwardToken]).toEqual([[], third.nextForwardToken]);
  expect(text(await read({ nextToken: third.nextBackwardToken }))).toEqual(text(second));
  expect(text(await read({}))[0]).toBe("m15");
  expect(text(await read({ startTime: NOW + 3, endTime: NOW + 5 }))).toEqual(["m3", "m4"]);
  await put("late");
  expect(text(await read({ nextToken: end.nextForwardToken }))).toEqual([]); // it is of the time of m0
});

test("events of all streams are filtered by pattern, stream and time, page by page", async () => {
  const { client, names, put } = await useStream();
  await put("INFO a", "ERROR b", '{"level":"ERROR"}');
  const other = { logGroupName: "/app", logStreamName: "other" };
  await client.send(new CreateLogStreamCommand(other));
  await client.send(new PutLogEventsCommand({ ...other, logEvents: [{ message: "ERROR other", timestamp: NOW + 1 }] }));
  const filter = async (input: object): Promise<string[]> => {
    const found: string[] = [];
    for await (const { events = [] } of paginateFilterLogEvents(
      { client },
      { logGroupName: "/app", limit: 1, ...input },
    ))
      found.push(...events.map(({ message = "" }) => message));
    return found;
  };
  expect(await filter({})).toEqual(["INFO a", "ERROR b", "ERROR other", '{"level":"ERROR"}']);
  expect(await filter({ filterPattern: "ERROR -other" })).toEqual(["ERROR b", '{"level":"ERROR"}']);
  expect(await filter({ filterPattern: '{ $.level = "ERROR" }' })).toEqual(['{"level":"ERROR"}']);
  expect(await filter({ logStreamNamePrefix: "oth" })).toEqual(["ERROR other"]);
  expect(await filter({ logStreamNames: [names.logStreamName], endTime: NOW + 1 })).toEqual(["INFO a", "ERROR b"]);
  expect(await filter({ logGroupName: undefined, logGroupIdentifier: ARN, startTime: NOW + 2 })).toHaveLength(1);
  const { events = [] } = await client.send(new FilterLogEventsCommand({ logGroupName: "/app" }));
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(4);
  expect(events[0]).toMatchObject({ logStreamName: names.logStreamName, timestamp: NOW, ingestionTime: NOW });
});

test("streams are described by name and by their last event", async () => {
  const { client, put } = await useStream();
  await client.send(new CreateLogStreamCommand({ logGroupName: "/app", logStreamName: "z" }));
  await put("one", "two");
  const describe = (input: object) => client.send(new DescribeLogStreamsCommand({ logGroupName: "/app", ...input }));
  expect((await describe({})).logStreams).toEqual([
    {
      logStreamName: "2026/11/20[1.0]a",
      creationTime: NOW,
      firstEventTimestamp: NOW,
      lastEventTimestamp: NOW + 1,
      lastIngestionTime: NOW,
      arn: `${ARN}:log-stream:2026/11/20[1.0]a`,
      storedBytes: 0,
    },
    { logStreamName: "z", creationTime: NOW, arn: `${ARN}:log-stream:z`, storedBytes: 0 },
  ]);
  const page = await describe({ orderBy: "LastEventTime", descending: true, limit: 1 });
  expect(page.logStreams?.[0]?.logStreamName).toBe("2026/11/20[1.0]a");
  expect(
    (await describe({ orderBy: "LastEventTime", descending: true, limit: 1, nextToken: page.nextToken })).logStreams,
  ).toMatchObject([{ logStreamName: "z" }]);
  await client.send(new DeleteLogStreamCommand({ logGroupName: "/app", logStreamName: "z" }));
  expect((await describe({ logStreamNamePrefix: "z" })).logStreams).toEqual([]);
});

test("events too old or too new are refused by their place in the batch, the others kept", async () => {
  const { client, names } = await useStream();
  const at = (timestamp: number) => ({ timestamp, message: "m" });
  const old = await client.send(
    new PutLogEventsCommand({ ...names, logEvents: [at(NOW - 15 * 24 * HOUR_MS), at(NOW - 14 * 24 * HOUR_MS)] }),
  );
  expect(old.rejectedLogEventsInfo).toEqual({ tooOldLogEventEndIndex: 1 });
  const early = await client.send(new PutLogEventsCommand({ ...names, logEvents: [at(NOW), at(NOW + 3 * HOUR_MS)] }));
  expect(early.rejectedLogEventsInfo).toEqual({ tooNewLogEventStartIndex: 1 });
  await client.send(new PutRetentionPolicyCommand({ logGroupName: "/app", retentionInDays: 1 }));
  const expired = await client.send(new PutLogEventsCommand({ ...names, logEvents: [at(NOW - 25 * HOUR_MS)] }));
  expect(expired.rejectedLogEventsInfo).toEqual({ expiredLogEventEndIndex: 1 });
  const { events } = await client.send(new GetLogEventsCommand({ ...names, startFromHead: true }));
  expect(events).toHaveLength(2);
});

test("what cannot be done is refused with the service's error", async () => {
  const { client, names } = await useStream();
  const group = { logGroupName: "/app" };
  const none = { logGroupName: "/none" };
  const at = (timestamp: number, message = "m") => ({ timestamp, message });
  const faults = [
    [new CreateLogGroupCommand(group), "ResourceAlreadyExistsException", "The specified log group already exists"],
    [new CreateLogGroupCommand({ logGroupName: "a b" }), "InvalidParameterException", "regular expression"],
    [new CreateLogStreamCommand(names), "ResourceAlreadyExistsException", "log stream already exists"],
    [new CreateLogStreamCommand({ ...group, logStreamName: "a:b" }), "InvalidParameterException", "'logStreamName'"],
    [new DeleteLogGroupCommand(none), "ResourceNotFoundException", "The specified log group does not exist."],
    [new DescribeLogStreamsCommand(none), "ResourceNotFoundException", "log group"],
    [
      new GetLogEventsCommand({ ...group, logStreamName: "x" }),
      "ResourceNotFoundException",
      "The specified log stream does not exist.",
    ],
    [new GetLogEventsCommand({ ...names, nextToken: "f/1" }), "InvalidParameterException", "nextToken is invalid"],
    [new FilterLogEventsCommand({ ...group, filterPattern: "[a, b]" }), "InvalidParameterException", "filter pattern"],
    [new FilterLogEventsCommand({ ...group, nextToken: "x" }), "InvalidParameterException", "nextToken is invalid"],
    [new FilterLogEventsCommand({}), "InvalidParameterException", "Exactly one of"],
    [
      new FilterLogEventsCommand({ logGroupIdentifier: ARN.replace(TEST_ACCOUNT, "999999999999") }),
      "ResourceNotFoundException",
      "log group",
    ],
    [new PutLogEventsCommand({ ...names, logEvents: [] }), "InvalidParameterException", "'logEvents'"],
    [
      new PutLogEventsCommand({ ...names, logEvents: [at(NOW), at(NOW - 1)] }),
      "InvalidParameterException",
      "chronological order",
    ],
    [
      new PutLogEventsCommand({ ...names, logEvents: [at(NOW - 25 * HOUR_MS), at(NOW)] }),
      "InvalidParameterException",
      "span more than 24 hours",
    ],
    [
      new PutLogEventsCommand({ ...names, logEvents: [at(NOW, "x".repeat(1_048_576))] }),
      "InvalidParameterException",
      "Upload too large",
    ],
    [new PutRetentionPolicyCommand({ ...group, retentionInDays: 2 }), "InvalidParameterException", "must be one of"],
    [new ListTagsForResourceCommand({ resourceArn: "arn:x" }), "InvalidParameterException", "Invalid resource ARN"],
    [
      new StartQueryCommand({ queryString: "x", startTime: 0, endTime: 1 }),
      "InvalidParameterException",
      "not supported",
    ],
  ] as const;
  for (const [command, name, message] of faults) {
    // oxlint-disable-next-line typescript/no-explicit-any -- commands of many types
    await expect(client.send(command as any)).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
    });
  }
});
