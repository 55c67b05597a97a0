import { openSqlite } from "../store/sqlite/sqlite-store.ts";
import { LOG_SCHEMA, type LogDb, type LogTables } from "./log-tables.ts";

export interface LogStore {
  readonly db: LogDb;
  close(): Promise<void>;
}

/** Opens (or makes) the log database; ":memory:" for unit tests. */
export function openLogStore(file: string): LogStore {
  return openSqlite<LogTables>(file, LOG_SCHEMA);
}
