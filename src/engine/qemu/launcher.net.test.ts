import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { mustRun, PROJECT, runProgram } from "../../../test/support/project.ts";

const LAUNCHER = join(PROJECT, ".cache/guest/vmm-launch");
const OWN_NETWORK = "/proc/self/ns/net";
const MIB = 1024 * 1024;

async function useFile(): Promise<{ file: string; ranges: string }> {
  // On a disk: where temporary files are in memory nothing is ever read.
  const directory = await mkdtemp(join(PROJECT, ".cache/launch-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "memory.base");
  await writeFile(file, Buffer.alloc(8 * MIB, 1));
  // Written back and dropped, so that it must be read again.
  await mustRun("dd", [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"]);
  return { file, ranges: join(directory, "memory.touched") };
}

async function cachedBytes(file: string): Promise<number> {
  return Number(await mustRun("fincore", ["--bytes", "--noheadings", "--output", "RES", file]));
}

test("the launcher has the ranges of a file read while its program starts", async () => {
  const { file, ranges } = await useFile();
  const before = await cachedBytes(file);
  await writeFile(ranges, `0 ${MIB}\n${4 * MIB} ${2 * MIB}\n`);
  await mustRun(LAUNCHER, [OWN_NETWORK, "--prefetch", file, ranges, "--", "true"]);
  await eventually("the ranges are in memory", 30_000, async () => {
    const cached = await cachedBytes(file);
    return cached >= before + 3 * MIB ? { done: true } : { saw: `${cached} bytes` };
  });
});

test("a launcher without a hint, or with nonsense for one, starts its program all the same", async () => {
  const { file, ranges } = await useFile();
  await mustRun(LAUNCHER, [OWN_NETWORK, "--prefetch", file, ranges, "--", "true"]);
  await writeFile(ranges, "-1 nonsense\n");
  await mustRun(LAUNCHER, [OWN_NETWORK, "--prefetch", file, ranges, "--", "true"]);
  expect((await runProgram(LAUNCHER, [OWN_NETWORK, "--prefetch", "--", "true"])).code).toBe(126);
});

test("what the launcher starts cuts nobody off when it wakes, whatever threads it makes", async () => {
  const SCHED_BATCH = 3;
  const policy = "import os, threading; threading.Thread(target=lambda: print(os.sched_getscheduler(0))).start()";
  expect((await mustRun(LAUNCHER, [OWN_NETWORK, "--", "python3", "-c", policy])).trim()).toBe(String(SCHED_BATCH));
});
