import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseResident, parseStat, readMachine } from "./machine-reading.ts";
import { startTicksOf } from "./process-identity.ts";

const handle = (startTicks: string) => ({ pid: process.pid, startTicks, directory: "", template: undefined });

test("a reading grows with the work of a process and is of that process alone", async () => {
  const startTicks = (await startTicksOf(process.pid)) ?? "";
  const before = readMachine(handle(startTicks));
  const { user, system } = process.cpuUsage();
  const until = user + system + 100_000;
  for (let now = 0; now < until; now = process.cpuUsage().user + process.cpuUsage().system);
  const after = readMachine(handle(startTicks));
  expect(after?.cpuSeconds).toBeGreaterThan(before?.cpuSeconds ?? Infinity);
  expect(after?.residentBytes).toBeGreaterThan(10_000_000);
  expect(readMachine(handle("1"))).toBeUndefined();
});

test("a process that is gone has no reading", () => {
  expect(readMachine({ ...handle("1"), pid: 2 ** 22 + 1 })).toBeUndefined();
});

test("blanks and parentheses in a name do not move the fields", () => {
  const fields = readFileSync("/proc/self/stat", "latin1").replace(/^\d+ \(.*\) /s, "");
  const ticks = fields.split(" ")[19] ?? "";
  expect(parseStat(`1 (a) b (c) ${fields}`, ticks)).toEqual(parseStat(`1 (x) ${fields}`, ticks));
});

test("resident memory counts the mappings of the memory file and no others", () => {
  const smaps = [
    "7f0000000000-7f0020000000 rw-p 00000000 08:01 12 /images/a/memory.base",
    "Size:             524288 kB",
    "Rss:               40000 kB",
    "Pss_Dirty:             0 kB",
    "7f0020000000-7f0021000000 rw-p 20000000 08:01 12 /images/a/memory.base",
    "Rss:                  96 kB",
    "7f0030000000-7f0031000000 rw-p 00000000 00:00 0",
    "Rss:               30000 kB",
    "7f0040000000-7f0041000000 rw-p 00000000 08:01 13 /images/ab/memory.base",
    "Rss:                   8 kB",
  ].join("\n");
  expect(parseResident(smaps, "/images/a/memory.base")).toBe(40_096 * 1024);
});
