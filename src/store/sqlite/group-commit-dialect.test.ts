import { Kysely, sql, type SqliteDatabase } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { GroupCommitDialect } from "./group-commit-dialect.ts";

/** A database that notes what it is told, on a disk that takes its time. */
function useDatabase() {
  const seen: string[] = [];
  const flush = Promise.withResolvers<void>();
  let isWritten = false;
  const database: SqliteDatabase = {
    close: () => {},
    prepare: (text) => ({
      reader: false,
      all: () => [],
      iterate: () => [].values(),
      run: () => {
        seen.push(text);
        isWritten ||= text === "write";
        return { changes: 0, lastInsertRowid: 0 };
      },
    }),
  };
  const takeWritten = () => {
    const was = isWritten;
    isWritten = false;
    return was;
  };
  const db = new Kysely<object>({
    dialect: new GroupCommitDialect({ database, takeWritten, flush: () => flush.promise, close: async () => {} }),
  });
  onTestFinished(() => db.destroy());
  const run = (text: string) => sql.raw(text).execute(db);
  return { db, seen, flush, run };
}

test("who writes waits for the disk; who only reads, and who comes meanwhile, does not", async () => {
  const { db, flush, run, seen } = useDatabase();
  let isWritten = false;
  const write = db
    .transaction()
    .execute((transaction) => sql.raw("write").execute(transaction))
    .then(() => (isWritten = true));
  await run("read");
  expect([seen, isWritten]).toEqual([["begin", "write", "commit", "read"], false]);
  flush.resolve();
  await write;
  expect(isWritten).toBe(true);
});

test("statements of others stay out of a transaction, in the order in which they came", async () => {
  const { db, flush, run, seen } = useDatabase();
  flush.resolve();
  const inside = Promise.withResolvers<void>();
  const transaction = db.transaction().execute(async (own) => {
    await sql.raw("first").execute(own);
    await inside.promise;
    await sql.raw("second").execute(own);
  });
  const others = [run("a"), run("b")];
  inside.resolve();
  await Promise.all([transaction, ...others]);
  expect(seen).toEqual(["begin", "first", "second", "commit", "a", "b"]);
});

test("a write that the disk did not take is told to who wrote", async () => {
  const { flush, run } = useDatabase();
  flush.promise.catch(() => {});
  flush.reject(new Error("EIO"));
  await expect(run("write")).rejects.toThrow("EIO");
  await expect(run("read")).resolves.toBeDefined();
});
