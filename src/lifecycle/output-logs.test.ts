import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { reaches, useRunning, useSupervisor } from "../../test/support/use-supervisor.ts";
import { createLogDestinations } from "../logs/log-destination.ts";
import { readEvents } from "../logs/log-events.ts";
import { openLogStore, type LogStore } from "../logs/log-store.ts";

const ROLE = { executionRoleArn: "arn:aws:iam::123456789012:role/Execution" };
const warn = vi.fn();
const log = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() } as never;

/** Servers one after the other, each with the log database of the home opened anew. */
async function useLoggedMicrovms() {
  const directory = await mkdtemp(join(tmpdir(), "catnap-logs-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const opened: LogStore[] = [];
  onTestFinished(async () => void (await Promise.all(opened.map((store) => store.close()))));
  const authorizer = { authorize: async () => ({ allowed: true }) as const };
  const openLogs = () => {
    const store = openLogStore(join(directory, "logs.db"));
    opened.push(store);
    return createLogDestinations({ db: store.db, authorizer, log });
  };
  const world = await useSupervisor({ logs: openLogs });
  const read = async () => {
    const db = opened.at(-1)!.db;
    const events = await readEvents(db, { groupId: 1, limit: 1000 });
    return {
      streams: [...new Set(events.map((event) => event.stream_name))],
      lines: events.map(({ message }) => message),
    };
  };
  const reads = (lines: readonly string[]) =>
    vi.waitFor(async () => expect((await read()).lines).toEqual(lines), { timeout: 20_000 });
  /** The server's log database is shut at once, as if it had been killed. */
  const kill = () => opened.at(-1)!.close();
  return { ...world, read, reads, kill };
}

test("every line is in the log once, across sleep, wake, a crash and the end", async () => {
  const { supervisor, guest, restart, reads, read, kill, log: said } = await useLoggedMicrovms();
  const view = await useRunning(supervisor, { ...ROLE, idlePolicy: undefined });
  guest.print("one");
  await reads(["one"]);
  guest.print("two");
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  guest.print("three, as it slept");
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  guest.print("four", "stderr");
  await reads(["one", "two", "three, as it slept", "four"]);
  guest.print("five");
  await kill();
  const next = restart();
  await next.recover();
  guest.print("six");
  await reads(["one", "two", "three, as it slept", "four", "five", "six"]);
  guest.print("seven");
  guest.exit(3);
  await reaches(next, view, "TERMINATED");
  await reads(["one", "two", "three, as it slept", "four", "five", "six", "seven"]);
  const day = view.startedAt.toISOString().slice(0, 10).replaceAll("-", "/");
  expect((await read()).streams).toEqual([`${day}[1.0]${view.microvmId}`]);
  expect(said.error).not.toHaveBeenCalled();
});

test("without an execution role nothing is logged", async () => {
  const { supervisor, guest, read } = await useLoggedMicrovms();
  const view = await useRunning(supervisor);
  guest.print("unheard");
  await supervisor.terminate(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
  expect(await read()).toEqual({ streams: [], lines: [] });
});

test("a log that cannot be written holds up neither a sleep nor an end", async () => {
  const { supervisor, guest, reads, kill } = await useLoggedMicrovms();
  const view = await useRunning(supervisor, ROLE);
  guest.print("before");
  await reads(["before"]);
  await kill();
  warn.mockClear();
  for (let line = 0; line < 20; line++) guest.print("x".repeat(100_000));
  await vi.waitFor(() => expect(warn).toHaveBeenCalled(), { timeout: 20_000 });
  await supervisor.suspend(view.microvmId);
  await reaches(supervisor, view, "SUSPENDED");
  await supervisor.resume(view.microvmId);
  await reaches(supervisor, view, "RUNNING");
  await supervisor.terminate(view.microvmId);
  await reaches(supervisor, view, "TERMINATED");
});
