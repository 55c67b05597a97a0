import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { mustRun, PROJECT } from "./project.ts";

/** A system call: its number on x86-64 and its arguments; bytes and texts are passed by address. */
export type SystemCall = readonly [number: number, ...args: (number | string | Uint8Array)[]];

/** Makes a process do a system call as if it had been taken over; resolves with what it returned, or that it died of it. */
export async function useSystemCallOf(): Promise<(pid: number, call: SystemCall) => Promise<number | "killed">> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-call-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const program = join(directory, "system-call-of");
  await mustRun("cc", ["-O1", "-Wall", "-Werror", "-o", program, join(PROJECT, "test/support/system-call-of.c")]);
  return async (pid, [number, ...args]) => {
    const answer = (await mustRun(program, [String(pid), String(number), ...args.map(encode)])).trim();
    return answer === "killed" ? answer : Number(answer);
  };
}

function encode(argument: number | string | Uint8Array): string {
  if (typeof argument === "number") return String(argument);
  return typeof argument === "string" ? `s:${argument}` : `x:${Buffer.from(argument).toString("hex")}`;
}
