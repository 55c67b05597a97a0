import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import { foldUsage } from "./usage-folding.ts";
import {
  beginImageUsage,
  endImageUsage,
  insertUsage,
  lastUsageOf,
  purgeUsage,
  type NewUsageRow,
} from "./usage-store.ts";
import { MIN_IMAGE_STORAGE_MS, sumUsage } from "./usage-sums.ts";

const ACCOUNT = "123456789012";
const ARN = `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:app`;
const BEGAN = 1_800_000_000_000;
const DAY_MS = 86_400_000;

async function useStore() {
  const { db, close } = openSqliteStore(":memory:");
  onTestFinished(close);
  const image = { arn: ARN, account_id: ACCOUNT, region: "us-east-1", name: "app", state: "CREATED" as const };
  await db
    .insertInto("images")
    .values({ ...image, last_version: 1, tags_json: "{}", created_at: BEGAN, updated_at: null })
    .execute();
  const build = { host_id: "h", image_arn: ARN, version: "1.0" };
  await beginImageUsage(db, build, { at: BEGAN, storedBytes: 10 });
  /** Days of storage between two days after the build. */
  const storedDays = async (from: number, until: number) => {
    const range = { from: BEGAN + from * DAY_MS, until: BEGAN + until * DAY_MS };
    const [sums] = await sumUsage(db, ACCOUNT, range);
    return (sums?.stored_byte_ms ?? 0) / 10 / DAY_MS;
  };
  return { db, storedDays };
}

const stretch = (over: Partial<NewUsageRow>): NewUsageRow => ({
  host_id: "h",
  account_id: ACCOUNT,
  region: "us-east-1",
  kind: "running",
  microvm_id: "microvm-1",
  image_arn: ARN,
  image_version: "1.0",
  baseline_mib: 512,
  began_at: BEGAN,
  metered_until: BEGAN,
  ended_at: null,
  process: null,
  ...over,
});

test("an image version is stored for as long as it is there", async () => {
  const { db, storedDays } = await useStore();
  expect(await storedDays(0, 3)).toBe(3);
  expect(await storedDays(2, 20)).toBe(18);
  await endImageUsage(db, { imageArn: ARN, version: "1.0" }, BEGAN + 10 * DAY_MS);
  expect(await storedDays(0, 20)).toBe(10);
  expect(await storedDays(11, 20)).toBe(0);
});

test("an image version that is deleted early is counted for a week all the same", async () => {
  const { db, storedDays } = await useStore();
  await endImageUsage(db, { imageArn: ARN }, BEGAN + DAY_MS);
  expect(await storedDays(0, 2)).toBe(2);
  expect(await storedDays(0, 30)).toBe(MIN_IMAGE_STORAGE_MS / DAY_MS);
});

test("what was read and written counts where it happened, and another account's use not at all", async () => {
  const { db } = await useStore();
  await insertUsage(db, stretch({ metered_until: BEGAN + 1000, running_seconds: 1, read_bytes: 7 }));
  await insertUsage(db, stretch({ kind: "asleep", began_at: BEGAN + 1000, written_bytes: 9, stored_bytes: 5 }));
  await insertUsage(db, stretch({ account_id: "210987654321", read_bytes: 100 }));
  const sum = async (from: number, until: number) => {
    const all = await sumUsage(db, ACCOUNT, { from: BEGAN + from, until: BEGAN + until });
    return all.find(({ microvm_id }) => microvm_id !== null);
  };
  expect(await sum(0, 500)).toMatchObject({ read_bytes: 7, written_bytes: 0, baseline_mib_seconds: 256 });
  expect(await sum(500, 2000)).toMatchObject({ read_bytes: 0, written_bytes: 9, stored_byte_ms: 5000 });
  expect(await sum(1500, 2000)).toMatchObject({ written_bytes: 0, stored_byte_ms: 2500 });
});

test("old stretches are forgotten, open ones never", async () => {
  const { db } = await useStore();
  await insertUsage(db, stretch({ metered_until: BEGAN + 1, ended_at: BEGAN + 1 }));
  await insertUsage(db, stretch({ microvm_id: "microvm-2" }));
  await purgeUsage(db, BEGAN + 100 * DAY_MS);
  const left = await db.selectFrom("usage_records").select("microvm_id").orderBy("id").execute();
  expect(left.map(({ microvm_id }) => microvm_id)).toEqual([null, "microvm-2"]);
});

test("stretches of a day become one run and one sleep that tell the same, and open ones stay", async () => {
  const { db } = await useStore();
  const at = (seconds: number) => BEGAN + seconds * 1000;
  const ran = (from: number, until: number, over: Partial<NewUsageRow> = {}) =>
    stretch({
      began_at: at(from),
      metered_until: at(until),
      ended_at: at(until),
      running_seconds: until - from,
      above_vcpu_seconds: 0.5,
      above_gb_seconds: 0.25,
      read_bytes: 7,
      ...over,
    });
  const slept = (from: number, until: number) =>
    stretch({
      kind: "asleep",
      began_at: at(from),
      metered_until: at(from),
      ended_at: at(until),
      written_bytes: 9,
      stored_bytes: 5,
    });
  const rows = [ran(0, 10), slept(10, 40), ran(40, 50), slept(50, 90), ran(90, 100), slept(100, 100 + 2 * 86_400)];
  for (const row of rows) await insertUsage(db, row);
  const open = await insertUsage(db, ran(200_000, 200_010, { ended_at: null, process: "1:1" }));
  const all = () => sumUsage(db, ACCOUNT, { from: BEGAN, until: at(300_000) });
  const before = await all();
  expect(await foldUsage(db, at(5), 10)).toBe(0);
  expect(await foldUsage(db, at(250_000), 10)).toBe(1);
  expect(await foldUsage(db, at(250_000), 10)).toBe(0);
  const [kept, was] = [await all(), before].map((sums) => sums.find(({ microvm_id }) => microvm_id !== null));
  const { stored_byte_ms, ...others } = was ?? { stored_byte_ms: 0 };
  expect(kept).toMatchObject(others);
  expect(Math.abs((kept?.stored_byte_ms ?? 0) - stored_byte_ms)).toBeLessThan(at(100) - at(0)); // a byte
  const kinds = await db.selectFrom("usage_records").select("kind").where("kind", "!=", "image").execute();
  expect(kinds.map(({ kind }) => kind).toSorted()).toEqual(["asleep", "day", "day", "running"]);
  expect((await lastUsageOf(db, "microvm-1"))?.id).toBe(open);
});
