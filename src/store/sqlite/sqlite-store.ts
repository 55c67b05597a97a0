import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Kysely, SqliteDialect, type SqliteDatabase } from "kysely";
import { AppError } from "../../errors/app-error.ts";
import type { Store } from "../store.ts";
import type { Database } from "../tables.ts";
import { SCHEMA } from "./schema.ts";

/** Opens (or makes) the database file: WAL, every commit on disk before it returns. ":memory:" for unit tests. */
export function openSqliteStore(file: string): Store {
  try {
    const database = new DatabaseSync(file);
    database.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;",
    );
    migrate(database);
    const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: adapt(database) }) });
    return { db, close: () => db.destroy() };
  } catch (cause) {
    throw new AppError("ERR_STORE", { message: `The state database ${file} could not be opened`, cause });
  }
}

function migrate(database: DatabaseSync): void {
  const at = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (at > SCHEMA.length) {
    throw new AppError("ERR_STORE", {
      message: `The state database is of a newer Catnap (schema ${at}, this one knows ${SCHEMA.length}); use that version`,
    });
  }
  for (const [index, step] of SCHEMA.entries()) {
    if (index < at) continue;
    database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version=${index + 1}; COMMIT;`);
  }
}

/** node:sqlite in the shape that kysely's dialect expects. */
function adapt(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql);
      const input = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...input(parameters)),
        run: (parameters) => {
          const { changes, lastInsertRowid } = statement.run(...input(parameters));
          return { changes, lastInsertRowid };
        },
        iterate: (parameters) => statement.iterate(...input(parameters)),
      };
    },
  };
}
