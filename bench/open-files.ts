import { mustRun, runProgram } from "../test/support/project.ts";

/** How many files a process started from here may have open: as many as wanted, or what the host gives. */
export async function openFilesFor(wanted: number): Promise<number> {
  if ((await runProgram("prlimit", [`--nofile=${wanted}`, "true"])).code === 0) return wanted;
  return Number(await mustRun("prlimit", ["--nofile", "--output", "HARD", "--noheadings"]));
}
