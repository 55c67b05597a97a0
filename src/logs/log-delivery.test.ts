import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLogDestinations, type LogRequest } from "./log-destination.ts";
import { LogDelivery } from "./log-delivery.ts";
import { readEvents } from "./log-events.ts";
import { deleteGroup, findGroup, findStream } from "./log-groups.ts";
import { openLogStore } from "./log-store.ts";

const OWNER = { accountId: "123456789012", region: "us-east-1" };
const TARGET = { ...OWNER, group: "/g", stream: "s" };
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() } as never;

function useLogs() {
  const store = openLogStore(":memory:");
  onTestFinished(() => store.close());
  const open = (source = "one") => LogDelivery.open({ db: store.db, target: TARGET, source, log });
  const messages = async () => {
    const group = await findGroup(store.db, OWNER, TARGET.group);
    if (group === undefined) return [];
    const rows = await readEvents(store.db, { groupId: group.id, limit: 10_000 });
    return rows.map(({ message }) => message);
  };
  return { ...store, open, messages };
}

test("lines become events in order, and who opens it again reads on where it stopped", async () => {
  const { open, messages } = useLogs();
  const first = await open();
  await first.take("stdout", Buffer.from("one\ntw"), 6);
  await first.take("stderr", Buffer.from("oops\r\n\n"), 13);
  await first.close();
  expect(await messages()).toEqual(["one", "oops"]);
  const second = await open();
  expect(second.offset).toBe(13);
  await second.take("stdout", Buffer.from("o\nthree"), 20);
  await second.end();
  await second.close();
  expect(await messages()).toEqual(["one", "oops", "two", "three"]);
});

test("what was not written when the server was killed is read again, and nothing twice", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catnap-logs-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const openServer = async () => {
    const store = openLogStore(join(directory, "logs.db"));
    return { store, delivery: await LogDelivery.open({ db: store.db, target: TARGET, source: "one", log }) };
  };
  const output = Buffer.from(Array.from({ length: 500 }, (_, line) => `line ${line}\n`).join(""));
  const killed = await openServer();
  await killed.delivery.take("stdout", output.subarray(0, 1001), 1001);
  const written = () => killed.store.db.selectFrom("log_sources").selectAll().executeTakeFirst();
  await vi.waitFor(async () => expect(await written()).toMatchObject({ output_offset: 1001 }), { timeout: 10_000 });
  void killed.delivery.take("stdout", output.subarray(1001, 2000), 2000);
  await killed.store.close(); // nothing is written from here on
  const { store, delivery } = await openServer();
  onTestFinished(() => store.close());
  expect(delivery.offset).toBe(1001);
  await delivery.take("stdout", output.subarray(delivery.offset), output.length);
  await delivery.close();
  const rows = await readEvents(store.db, { groupId: 1, limit: 1000 });
  expect(rows.map(({ message }) => message)).toEqual(output.toString().trim().split("\n"));
});

test("a line without an end is shown after a while", async () => {
  const { open, messages } = useLogs();
  const delivery = await open();
  await delivery.take("stdout", Buffer.from("password: "), 10);
  await vi.waitFor(async () => expect(await messages()).toEqual(["password: "]), { timeout: 20_000 });
  await delivery.close();
});

test("who prints faster than can be written waits, and a group that was deleted is made again", async () => {
  const { db, open, messages } = useLogs();
  const delivery = await open();
  await delivery.take("stdout", Buffer.from("before\n"), 7);
  await vi.waitFor(async () => expect(await messages()).toEqual(["before"]));
  const group = await findGroup(db, OWNER, TARGET.group);
  await deleteGroup(db, group?.id ?? 0);
  const flood = Buffer.from(`${"x".repeat(99)}\n`.repeat(20_000));
  for (let at = 0; at < flood.length; at += 64_000) {
    const piece = flood.subarray(at, at + 64_000);
    await delivery.take("stdout", piece, 7 + at + piece.length);
  }
  await delivery.close();
  expect(await messages()).toHaveLength(10_000);
  const made = await findGroup(db, OWNER, TARGET.group);
  expect(made?.stored_bytes).toBe(20_000 * (99 + 26));
  expect(await findStream(db, made?.id ?? 0, "s")).toMatchObject({ first_event_at: expect.any(Number) });
});

test("the setting and the role decide where output goes", async () => {
  const { db } = useLogs();
  const asked: string[] = [];
  const destinations = createLogDestinations({
    db,
    authorizer: {
      authorize: async ({ roleArn, action, resource }) => {
        asked.push(`${action} ${resource}`);
        return roleArn === "may" ? { allowed: true } : { allowed: false, why: "no statement" };
      },
    },
    log,
  });
  const request = (change: Partial<LogRequest> = {}): LogRequest => ({
    ...OWNER,
    logging: undefined,
    roleArn: "may",
    sourceArn: "arn:image",
    imageName: "app",
    imageVersion: "2.0",
    id: "microvm-1",
    startedAt: new Date("2026-11-20T23:59:59Z"),
    ...change,
  });
  expect(await destinations.open(request({ roleArn: undefined }))).toEqual({});
  expect(await destinations.open(request({ logging: { disabled: {} } }))).toEqual({});
  expect(await destinations.open(request({ roleArn: "may not" }))).toEqual({ refused: "no statement" });
  asked.length = 0;
  expect((await destinations.open(request())).delivery).toBeDefined();
  await destinations.open(request({ logging: { cloudWatch: { logGroup: "/mine", logStream: "all" } } }));
  const prefix = "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:";
  expect(asked.filter((line) => line.startsWith("logs:Put"))).toEqual([
    `${prefix}/aws/lambda-microvms/app:log-stream:2026/11/20[2.0]microvm-1`,
    `${prefix}/mine:log-stream:all`,
  ]);
});
