import type { PutLogEventsCommandInput, PutLogEventsCommandOutput } from "@aws-sdk/client-cloudwatch-logs";
import { appendEvents, bytesOf, type NewEvent } from "../../logs/log-events.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { invalidParameter } from "./logs-faults.ts";
import { requireGroup, requireStream, type LogsDependencies } from "./logs-lookup.ts";

type Output = Omit<PutLogEventsCommandOutput, "$metadata">;

const DAY_MS = 86_400_000;
const MAX_BATCH_BYTES = 1_048_576;
const MAX_AGE_DAYS = 14;
const MAX_AHEAD_MS = 2 * 60 * 60 * 1000;

/** Given for those who still ask for one; nothing reads it. */
const SEQUENCE_TOKEN = "49646985519613217000000000000000000000000000000000000000";

export function putLogEvents({ db, now }: LogsDependencies): Operation<PutLogEventsCommandInput, Output> {
  return async (input, context) => {
    const group = await requireGroup(db, context, { logGroupName: input.logGroupName });
    const stream = await requireStream(db, group, must(input.logStreamName, "a log stream"));
    const events = (input.logEvents ?? []).map(({ timestamp = 0, message = "" }) => ({ timestamp, message }));
    checkBatch(events);
    const at = now();
    const oldest = at - Math.min(MAX_AGE_DAYS, group.retention_days ?? MAX_AGE_DAYS) * DAY_MS;
    const isTooOld = ({ timestamp }: NewEvent) => timestamp < oldest;
    const isTooNew = ({ timestamp }: NewEvent) => timestamp > at + MAX_AHEAD_MS;
    const accepted = events.filter((event) => !isTooOld(event) && !isTooNew(event));
    await db.transaction().execute((within) => appendEvents(within, stream, accepted, at));
    return { nextSequenceToken: SEQUENCE_TOKEN, ...rejected(events, { isTooOld, isTooNew, at }) };
  };
}

function checkBatch(events: readonly NewEvent[]): void {
  const [first, last] = [events[0], events.at(-1)];
  if (events.some(({ timestamp }, index) => timestamp < (events[index - 1]?.timestamp ?? 0)))
    throw invalidParameter("Log events in a single PutLogEvents request must be in chronological order.");
  if (first && last && last.timestamp - first.timestamp > DAY_MS)
    throw invalidParameter("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  const bytes = bytesOf(events);
  if (bytes > MAX_BATCH_BYTES)
    throw invalidParameter(`Upload too large: ${bytes} bytes exceeds limit of ${MAX_BATCH_BYTES}`);
}

interface Bounds {
  readonly at: number;
  readonly isTooOld: (event: NewEvent) => boolean;
  readonly isTooNew: (event: NewEvent) => boolean;
}

/** Where in the batch, which is in order, the refused ones end and begin. */
function rejected(
  events: readonly NewEvent[],
  { at, isTooOld, isTooNew }: Bounds,
): Pick<Output, "rejectedLogEventsInfo"> {
  const tooOld = events.filter(isTooOld);
  const firstTooNew = events.findIndex(isTooNew);
  if (tooOld.length === 0 && firstTooNew === -1) return {};
  // what only the group's retention refuses has expired; what everybody refuses is too old
  const isExpired = tooOld.every(({ timestamp }) => timestamp >= at - MAX_AGE_DAYS * DAY_MS);
  const oldEnd = tooOld.length > 0 ? tooOld.length : undefined;
  return {
    rejectedLogEventsInfo: {
      ...(isExpired ? { expiredLogEventEndIndex: oldEnd } : { tooOldLogEventEndIndex: oldEnd }),
      ...(firstTooNew === -1 ? {} : { tooNewLogEventStartIndex: firstTooNew }),
    },
  };
}
