import type { GetLogEventsCommandInput, GetLogEventsCommandOutput } from "@aws-sdk/client-cloudwatch-logs";
import { readEvents, type EventPosition, type FoundEvent } from "../../logs/log-events.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { fitting } from "./answer-size.ts";
import { invalidParameter } from "./logs-faults.ts";
import { requireGroup, requireStream, type LogsDependencies } from "./logs-lookup.ts";

type Output = Omit<GetLogEventsCommandOutput, "$metadata">;

const DEFAULT_LIMIT = 10_000;
const TOKEN = /^([fb])\/(\d{20})(\d{36})$/;

/** Forward: after a position. Backward: before it. */
interface Turn {
  readonly direction: "f" | "b";
  readonly position: EventPosition;
}

export function getLogEvents({ db }: LogsDependencies): Operation<GetLogEventsCommandInput, Output> {
  return async (input, context) => {
    const group = await requireGroup(db, context, input);
    const stream = await requireStream(db, group, must(input.logStreamName, "a log stream"));
    const turn = input.nextToken === undefined ? undefined : readTurn(input.nextToken);
    const fromEnd = turn === undefined ? input.startFromHead !== true : turn.direction === "b";
    const found = await readEvents(db, {
      groupId: group.id,
      streamIds: [stream.id],
      from: input.startTime,
      to: input.endTime === undefined ? undefined : input.endTime - 1, // an event at the very end is not included
      after: turn?.direction === "f" ? turn.position : undefined,
      before: turn?.direction === "b" ? turn.position : undefined,
      fromEnd,
      limit: input.limit ?? DEFAULT_LIMIT,
    });
    const rows = fitting(found, { fromEnd });
    return {
      events: rows.map(({ timestamp, ingested_at, message }) => ({ timestamp, ingestionTime: ingested_at, message })),
      ...turnsFrom(rows, turn),
    };
  };
}

/** Without a new event both stay where the reader is: that is how readers see the end. */
function turnsFrom(
  rows: readonly FoundEvent[],
  turn: Turn | undefined,
): Pick<Output, "nextForwardToken" | "nextBackwardToken"> {
  const start = turn?.position ?? { timestamp: 0, id: 0 };
  return {
    nextForwardToken: writeTurn("f", rows.at(-1) ?? start),
    nextBackwardToken: writeTurn("b", rows[0] ?? start),
  };
}

function writeTurn(direction: Turn["direction"], { timestamp, id }: EventPosition): string {
  return `${direction}/${String(timestamp).padStart(20, "0")}${String(id).padStart(36, "0")}`;
}

function readTurn(token: string): Turn {
  const [, direction, timestamp, id] = TOKEN.exec(token) ?? [];
  const position = { timestamp: Number(timestamp), id: Number(id) };
  if (direction === undefined || !Object.values(position).every(Number.isSafeInteger))
    throw invalidParameter("The specified nextToken is invalid.");
  return { direction: direction as Turn["direction"], position };
}
