import type { Generated, Kysely } from "kysely";

/** Rows of the log database. It is one of its own: a flood of output must not delay what the main one records. */
export interface LogTables {
  log_groups: {
    id: Generated<number>;
    account_id: string;
    region: string;
    name: string;
    created_at: number;
    /** Days after which events are removed; none: never. */
    retention_days: number | null;
    tags_json: Generated<string>;
    stored_bytes: Generated<number>;
  };
  log_streams: {
    id: Generated<number>;
    group_id: number;
    name: string;
    created_at: number;
    first_event_at: number | null;
    last_event_at: number | null;
    last_ingested_at: number | null;
  };
  log_events: {
    id: Generated<number>;
    group_id: number;
    stream_id: number;
    /** Milliseconds since 1970, as all times here. */
    timestamp: number;
    ingested_at: number;
    message: string;
  };
  /** How far the output of a microVM was delivered; written together with its events. */
  log_sources: {
    id: string;
    output_offset: number;
    /** Bytes after the last line feed of each stream, in base64. */
    stdout_rest: string;
    stderr_rest: string;
  };
}

export type LogDb = Kysely<LogTables>;

/** Each step is run once, in order. */
export const LOG_SCHEMA: readonly string[] = [
  `CREATE TABLE log_groups (
  id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
  created_at INTEGER NOT NULL, retention_days INTEGER, tags_json TEXT NOT NULL DEFAULT '{}',
  stored_bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (account_id, region, name)) STRICT;
CREATE TABLE log_streams (
  id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL REFERENCES log_groups ON DELETE CASCADE, name TEXT NOT NULL,
  created_at INTEGER NOT NULL, first_event_at INTEGER, last_event_at INTEGER, last_ingested_at INTEGER,
  UNIQUE (group_id, name)) STRICT;
CREATE TABLE log_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL REFERENCES log_groups ON DELETE CASCADE,
  stream_id INTEGER NOT NULL REFERENCES log_streams ON DELETE CASCADE,
  timestamp INTEGER NOT NULL, ingested_at INTEGER NOT NULL, message TEXT NOT NULL) STRICT;
CREATE INDEX log_events_of_stream ON log_events (stream_id, timestamp, id);
CREATE INDEX log_events_of_group ON log_events (group_id, timestamp, id);
CREATE TABLE log_sources (
  id TEXT PRIMARY KEY, output_offset INTEGER NOT NULL, stdout_rest TEXT NOT NULL, stderr_rest TEXT NOT NULL) STRICT`,
];

/** What CloudWatch Logs adds to the bytes of each message when it counts them. */
export const EVENT_OVERHEAD_BYTES = 26;
