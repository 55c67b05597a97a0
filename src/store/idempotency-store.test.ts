import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { findAnswer, forgetAnswer, hashRequest, saveAnswer } from "./idempotency-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";

const KEY = { accountId: "123456789012", operation: "us-east-1:RunMicrovm", token: "t" };
const HOUR_MS = 3_600_000;

async function useFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "catnap-tokens-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "catnap.db");
}

test("the first answer and the request's hash outlive the server", async () => {
  const file = await useFile();
  const answer = { requestHash: hashRequest({ a: 1 }), response: { microvmId: "microvm-1", list: [1, "ü"] } };
  const before = openSqliteStore(file);
  await saveAnswer(before.db, KEY, answer, 0);
  await before.close();
  const after = openSqliteStore(file);
  onTestFinished(() => after.close());
  expect(await findAnswer(after.db, KEY, HOUR_MS)).toEqual(answer);
});

test("a token means something in its account and operation alone, for a day, until it is forgotten", async () => {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  await saveAnswer(store.db, KEY, { requestHash: "h", response: 1 }, 0);
  const find = (change: object, now = HOUR_MS) => findAnswer(store.db, { ...KEY, ...change }, now);
  expect(await find({})).toEqual({ requestHash: "h", response: 1 });
  for (const change of [{ accountId: "999999999999" }, { operation: "eu-west-1:RunMicrovm" }, { token: "u" }])
    expect(await find(change)).toBeUndefined();
  expect(await find({}, 24 * HOUR_MS)).toBeUndefined();
  await forgetAnswer(store.db, KEY);
  expect(await find({})).toBeUndefined();
});

test("the hash knows requests by their members, in whatever order they came", () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([name, member]) => [name, shuffled(member)]),
    );
  };
  fc.assert(fc.property(fc.jsonValue(), (request) => hashRequest(shuffled(request)) === hashRequest(request)));
  expect(hashRequest({ a: [1, 2] })).not.toBe(hashRequest({ a: [2, 1] }));
  expect(hashRequest({ a: 1 })).not.toBe(hashRequest({ a: "1" }));
});
