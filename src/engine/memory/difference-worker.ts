import { parentPort } from "node:worker_threads";
import { AppError } from "../../errors/app-error.ts";
import { runDifferenceJob, type DifferenceJob } from "./difference-job.ts";
import type { DifferenceAnswer } from "./difference-thread.ts";

const DONE = { save: "saved", load: "loaded", note: "read" } as const;

/** The thread's side: one job at a time, each answered. */
parentPort?.on("message", ({ id, job }: { id: number; job: DifferenceJob }) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(answer(id, job));
});

function answer(id: number, job: DifferenceJob): DifferenceAnswer {
  try {
    return { id, bytes: runDifferenceJob(job) };
  } catch (cause) {
    // An error loses its class on the way between threads.
    if (cause instanceof AppError) return { id, code: cause.code, message: cause.message };
    const message = `The page difference cannot be ${DONE[job.work]}: ${String(cause)}`;
    return { id, code: isMissing(cause, job) ? "ERR_ENGINE_SNAPSHOT" : "ERR_ENGINE_MEMORY", message };
  }
}

/** Of what a machine is loaded from; a process that is gone is missing too, but the next one may do. */
function isMissing(cause: unknown, { work, base, file }: DifferenceJob): boolean {
  const { code, path } = cause as NodeJS.ErrnoException;
  return work === "load" && code === "ENOENT" && (path === base || path === file);
}
