import { setTimeout } from "node:timers/promises";
import { BuildFailure } from "../errors/build-failure.ts";
import type { BuildLog } from "./build-log.ts";
import { APP_PREFIX } from "./follow-output.ts";

/** The end of an app may be known before its last words have arrived. */
const LAST_WORDS_MS = 1_000;
const MAX_REASON_CHARACTERS = 1000;

/** What to tell of an app that ended before its snapshot was good: code and last words. */
export async function failedToStart(code: number, log: BuildLog, outputEnded: Promise<void>): Promise<BuildFailure> {
  await Promise.race([outputEnded, setTimeout(LAST_WORDS_MS)]);
  const said = log.lastLines
    .filter((line) => line.startsWith(APP_PREFIX))
    .slice(-3)
    .map((line) => line.slice(APP_PREFIX.length).trim());
  const words = said.length === 0 ? "it printed nothing" : `it printed: ${said.join(" | ")}`;
  const reason = `Failed to start container: the main process exited with code ${code} before the snapshot; ${words}`;
  return new BuildFailure("CONTAINER_BUILD_FAILED", reason.slice(0, MAX_REASON_CHARACTERS));
}
