import { closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { promisify } from "node:util";
import { Kysely, type SqliteDatabase, type SqliteStatement } from "kysely";
import { AppError } from "../../errors/app-error.ts";
import type { Store } from "../store.ts";
import type { Database } from "../tables.ts";
import { GroupCommitDialect, type GroupCommit } from "./group-commit-dialect.ts";
import { GroupFlush } from "./group-flush.ts";
import { SCHEMA } from "./schema.ts";

/** Statements kept ready; lists of other lengths make other statements, so there is no natural end. */
const MAX_STATEMENTS = 500;
const IN_MEMORY = ":memory:";

/**
 * Opens (or makes) the database file; who writes goes on when the commit is on disk. SQLite itself does not wait for the
 * disk at a commit (`synchronous=NORMAL`): its log is flushed right after, beside the event loop and for all commits that
 * wait (`GroupCommit`). ":memory:" for unit tests.
 */
export function openSqliteStore(file: string): Store {
  return openSqlite<Database>(file, SCHEMA);
}

/** The same with tables of one's own; `schema` is a list of steps, of which each is run once. */
export function openSqlite<Tables>(
  file: string,
  schema: readonly string[],
): { readonly db: Kysely<Tables>; close(): Promise<void> } {
  try {
    const database = new DatabaseSync(file);
    database.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;",
    );
    migrate(database, schema);
    const db = new Kysely<Tables>({ dialect: new GroupCommitDialect(groupCommit(database, file)) });
    return { db, close: () => db.destroy() };
  } catch (cause) {
    throw new AppError("ERR_STORE", { message: `The state database ${file} could not be opened`, cause });
  }
}

function groupCommit(database: DatabaseSync, file: string): GroupCommit {
  let isWritten = false;
  const log = file === IN_MEMORY ? undefined : openLog(file);
  const flush = log && new GroupFlush(log.flush);
  return {
    database: adapt(database, () => (isWritten = true)),
    takeWritten() {
      const was = isWritten;
      isWritten = false;
      return was;
    },
    flush: async () => flush?.wait(),
    async close() {
      await flush?.wait().catch(() => {}); // told to those who wrote
      log?.close();
      database.close();
    },
  };
}

/** The write-ahead log beside the database. It exists once and stays the same file until the database is closed. */
function openLog(file: string): { flush: () => Promise<void>; close: () => void } {
  const descriptor = openSync(`${file}-wal`, "r+");
  const directory = openSync(dirname(file), "r");
  fsyncSync(descriptor);
  fsyncSync(directory); // a log that was just made must be found again too
  closeSync(directory);
  const flushFile = promisify(fdatasync);
  const flush = () =>
    flushFile(descriptor).catch((cause: unknown) => {
      const message = `The disk did not take what was written to ${file}; restart the server when the disk works again`;
      throw new AppError("ERR_STORE", { message, cause });
    });
  return { flush, close: () => closeSync(descriptor) };
}

function migrate(database: DatabaseSync, schema: readonly string[]): void {
  const at = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (at > schema.length) {
    throw new AppError("ERR_STORE", {
      message: `The state database is of a newer Catnap (schema ${at}, this one knows ${schema.length}); use that version`,
    });
  }
  for (const [index, step] of schema.entries()) {
    if (index < at) continue;
    database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version=${index + 1}; COMMIT;`);
  }
}

/** Statements that leave nothing to flush; what a transaction wrote, its own statements tell. */
const WRITES_NOTHING = /^(?:select|begin|commit|rollback)\b/;

/** node:sqlite in the shape that kysely's dialect expects. `onWrite` is told of every statement that may write. */
function adapt(database: DatabaseSync, onWrite: () => void): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  const prepare = (sql: string): SqliteStatement => {
    const statement = database.prepare(sql);
    const mayWrite = !WRITES_NOTHING.test(sql);
    const input = (parameters: readonly unknown[]) => {
      if (mayWrite) onWrite();
      return parameters as SQLInputValue[];
    };
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...input(parameters)),
      run: (parameters) => {
        const { changes, lastInsertRowid } = statement.run(...input(parameters));
        return { changes, lastInsertRowid };
      },
      iterate: (parameters) => statement.iterate(...input(parameters)),
    };
  };
  return {
    close: () => database.close(),
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const [oldest] = statements.keys();
      if (statements.size >= MAX_STATEMENTS && oldest !== undefined) statements.delete(oldest);
      const statement = prepare(sql);
      statements.set(sql, statement);
      return statement;
    },
  };
}
