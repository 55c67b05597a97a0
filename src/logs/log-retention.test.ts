import { expect, onTestFinished, test } from "vitest";
import { appendEvents, readEvents } from "./log-events.ts";
import { ensureStream, findGroup, updateGroup } from "./log-groups.ts";
import { removeOldEvents } from "./log-retention.ts";
import { openLogStore } from "./log-store.ts";

const OWNER = { accountId: "123456789012", region: "us-east-1" };
const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-11-20T12:00:00Z");

test("old events go when their group's retention or the room for all is over", async () => {
  const { db, close } = openLogStore(":memory:");
  onTestFinished(close);
  const stream = await ensureStream(db, OWNER, { group: "short", stream: "s", now: NOW });
  const other = await ensureStream(db, OWNER, { group: "kept", stream: "s", now: NOW });
  const message = "x".repeat(74); // 100 bytes as they count
  const daysAgo = (days: number) => ({ timestamp: NOW - days * DAY_MS, message });
  await appendEvents(db, stream, [daysAgo(5), daysAgo(2), daysAgo(0)], NOW);
  await appendEvents(db, other, [daysAgo(500), daysAgo(0)], NOW);
  await updateGroup(db, stream.group_id, { retention_days: 3 });
  expect(await removeOldEvents(db, { maxBytes: 1000, now: NOW })).toBe(1);
  expect(await findGroup(db, OWNER, "short")).toMatchObject({ stored_bytes: 200 });
  expect(await readEvents(db, { groupId: other.group_id, limit: 10 })).toHaveLength(2);
  expect(await removeOldEvents(db, { maxBytes: 300, now: NOW })).toBe(4); // whole batches at a time
  expect(await findGroup(db, OWNER, "kept")).toMatchObject({ stored_bytes: 0 });
});
