import type { FilterLogEventsCommandInput, FilterLogEventsCommandOutput } from "@aws-sdk/client-cloudwatch-logs";
import { parseFilterPattern, type MessageFilter } from "../../logs/filter-pattern.ts";
import { InvalidPattern } from "../../logs/invalid-pattern.ts";
import { readEvents, type EventPosition, type FoundEvent } from "../../logs/log-events.ts";
import { listStreams, type LogGroupRow } from "../../logs/log-groups.ts";
import type { LogDb } from "../../logs/log-tables.ts";
import { readPageToken, writePageToken } from "../page-token.ts";
import type { Operation } from "../service.ts";
import { fitting } from "./answer-size.ts";
import { invalidParameter } from "./logs-faults.ts";
import { groupArn, requireGroup, requireStream, type LogsDependencies } from "./logs-lookup.ts";

type Input = FilterLogEventsCommandInput;
type Output = Omit<FilterLogEventsCommandOutput, "$metadata">;

const DEFAULT_LIMIT = 10_000;
/** Read for one answer; with a pattern that seldom matches an answer may be empty and still have a next one. */
const MAX_SEARCHED = 20_000;
const MAX_STREAMS = 10_000;

export function filterLogEvents({ db }: LogsDependencies): Operation<Input, Output> {
  return async (input, context) => {
    if (input.logStreamNames !== undefined && input.logStreamNamePrefix !== undefined)
      throw invalidParameter("Only one of logStreamNames and logStreamNamePrefix may be specified.");
    const matches = readPattern(input.filterPattern ?? "");
    const group = await requireGroup(db, context, input);
    const scope = scopeOf(group, input);
    const streamIds = await wantedStreams(db, group, input);
    if (streamIds?.length === 0) return { events: [], searchedLogStreams: [] };
    const limit = input.limit ?? DEFAULT_LIMIT;
    // Without a pattern every row is an answer.
    const searched = (input.filterPattern ?? "") === "" ? limit : MAX_SEARCHED;
    const rows = await readEvents(db, {
      groupId: group.id,
      streamIds,
      from: input.startTime,
      to: input.endTime,
      after: readPosition(scope, input.nextToken),
      limit: searched,
    });
    const wanted = rows.filter(({ message }) => matches(message));
    const page = fitting(wanted.slice(0, limit));
    const isCut = page.length < wanted.length;
    const last = isCut ? page.at(-1) : rows.at(-1);
    return {
      events: page.map((row) => eventView(row)),
      searchedLogStreams: [],
      ...(last !== undefined && (isCut || rows.length === searched)
        ? { nextToken: writePageToken(scope, `${last.timestamp}-${last.id}`) }
        : {}),
    };
  };
}

function readPattern(pattern: string): MessageFilter {
  try {
    return parseFilterPattern(pattern);
  } catch (cause) {
    if (!(cause instanceof InvalidPattern)) throw cause;
    throw invalidParameter(`Invalid filter pattern: ${cause.message}`);
  }
}

/** Undefined for all streams of the group. */
async function wantedStreams(db: LogDb, group: LogGroupRow, input: Input): Promise<number[] | undefined> {
  const { logStreamNames: names, logStreamNamePrefix: prefix } = input;
  if (names !== undefined) {
    const streams = await Promise.all(names.map((name) => requireStream(db, group, name)));
    return streams.map(({ id }) => id);
  }
  if (prefix === undefined) return undefined;
  return (await listStreams(db, group.id, { prefix, skip: 0, limit: MAX_STREAMS })).map(({ id }) => id);
}

function scopeOf(group: LogGroupRow, input: Input): string[] {
  const { logStreamNames, logStreamNamePrefix, startTime, endTime, filterPattern } = input;
  const parts = { logStreamNames, logStreamNamePrefix, startTime, endTime, filterPattern };
  return ["FilterLogEvents", groupArn(group), JSON.stringify(parts)];
}

function readPosition(scope: readonly string[], token: string | undefined): EventPosition | undefined {
  if (token === undefined) return undefined;
  const [timestamp = Number.NaN, id = Number.NaN] = (readPageToken(scope, token) ?? "").split("-").map(Number);
  if (Number.isNaN(timestamp) || Number.isNaN(id)) throw invalidParameter("The specified nextToken is invalid.");
  return { timestamp, id };
}

function eventView(row: FoundEvent) {
  return {
    logStreamName: row.stream_name,
    timestamp: row.timestamp,
    message: row.message,
    ingestionTime: row.ingested_at,
    eventId: `${String(row.timestamp).padStart(20, "0")}${String(row.id).padStart(36, "0")}`,
  };
}
