import { sql, type Selectable, type Transaction } from "kysely";
import { EVENT_OVERHEAD_BYTES, type LogDb, type LogTables } from "./log-tables.ts";

export interface NewEvent {
  readonly timestamp: number;
  readonly message: string;
}

export type LogEventRow = Selectable<LogTables["log_events"]>;
type Db = LogDb | Transaction<LogTables>;

/** A place between events, in their order: by time, then as they came. */
export interface EventPosition {
  readonly timestamp: number;
  readonly id: number;
}

const ROWS_AT_ONCE = 500;

/** Adds events to a stream, which belongs to the group. */
export async function appendEvents(
  db: Db,
  stream: { readonly id: number; readonly group_id: number },
  events: readonly NewEvent[],
  now: number,
): Promise<void> {
  if (events.length === 0) return;
  for (let at = 0; at < events.length; at += ROWS_AT_ONCE) {
    const rows = events.slice(at, at + ROWS_AT_ONCE).map(({ timestamp, message }) => ({
      group_id: stream.group_id,
      stream_id: stream.id,
      timestamp,
      ingested_at: now,
      message,
    }));
    await db.insertInto("log_events").values(rows).execute();
  }
  const [first, last] = timesOf(events);
  await db
    .updateTable("log_streams")
    .set({
      first_event_at: sql`min(coalesce(first_event_at, ${first}), ${first})`,
      last_event_at: sql`max(coalesce(last_event_at, ${last}), ${last})`,
      last_ingested_at: now,
    })
    .where("id", "=", stream.id)
    .execute();
  await db
    .updateTable("log_groups")
    .set({ stored_bytes: sql`stored_bytes + ${bytesOf(events)}` })
    .where("id", "=", stream.group_id)
    .execute();
}

/** As the service counts them: UTF-8 and 26 bytes for each. */
export function bytesOf(events: readonly Pick<NewEvent, "message">[]): number {
  return events.reduce((sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES, 0);
}

export interface EventQuery {
  readonly groupId: number;
  /** All of the group's streams when left out. */
  readonly streamIds?: readonly number[];
  /** Both inclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Only events after it, or before it. */
  readonly after?: EventPosition;
  readonly before?: EventPosition;
  /** The last ones that fit rather than the first; the result is in ascending order either way. */
  readonly fromEnd?: boolean;
  readonly limit: number;
}

export interface FoundEvent extends LogEventRow {
  readonly stream_name: string;
}

export async function readEvents(db: Db, query: EventQuery): Promise<FoundEvent[]> {
  let select = db
    .selectFrom("log_events")
    .innerJoin("log_streams", "log_streams.id", "log_events.stream_id")
    .selectAll("log_events")
    .select("log_streams.name as stream_name");
  const [only] = query.streamIds ?? [];
  if (query.streamIds?.length === 1 && only !== undefined) select = select.where("log_events.stream_id", "=", only);
  else {
    select = select.where("log_events.group_id", "=", query.groupId);
    if (query.streamIds !== undefined) select = select.where("log_events.stream_id", "in", [...query.streamIds]);
  }
  if (query.from !== undefined) select = select.where("log_events.timestamp", ">=", query.from);
  if (query.to !== undefined) select = select.where("log_events.timestamp", "<=", query.to);
  if (query.after !== undefined) select = select.where(beside(">", query.after));
  if (query.before !== undefined) select = select.where(beside("<", query.before));
  const direction = query.fromEnd === true ? "desc" : "asc";
  const rows = await select
    .orderBy("log_events.timestamp", direction)
    .orderBy("log_events.id", direction)
    .limit(query.limit)
    .execute();
  return query.fromEnd === true ? rows.toReversed() : rows;
}

function beside(operator: "<" | ">", { timestamp, id }: EventPosition) {
  return sql<boolean>`(log_events.timestamp, log_events.id) ${sql.raw(operator)} (${timestamp}, ${id})`;
}

function timesOf(events: readonly NewEvent[]): [first: number, last: number] {
  return events.reduce<[number, number]>(
    ([first, last], { timestamp }) => [Math.min(first, timestamp), Math.max(last, timestamp)],
    [Infinity, -Infinity],
  );
}
