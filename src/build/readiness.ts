import type { GuestStatus } from "../guest-link/guest-link.ts";

/** One look at a starting app. */
export interface ReadinessSample {
  readonly atMs: number;
  readonly status: GuestStatus;
  readonly listening: readonly number[];
  /** Busy CPU time of the guest so far, milliseconds. */
  readonly busyMs: number;
}

export type Readiness = "wait" | "ready" | { readonly exited: number };

/**
 * Below this share of one CPU the guest counts as quiet. Asking is itself work: under emulation three questions every
 * 200 ms take about 15 %, one every 250 ms about 4 % (measured); a starting app takes 100 %.
 */
const QUIET_SHARE = 0.25;
const QUIET_AFTER_LISTENING_MS = 1_000;
const QUIET_WITHOUT_PORTS_MS = 2_000;

/**
 * Whether an app without hooks may be snapshotted: all its exposed ports accept; or some do and the guest has been quiet
 * for a second; or it exposes none and its default port accepts or the guest has been quiet for two seconds.
 */
export function judgeReadiness(samples: readonly ReadinessSample[], exposed: readonly number[]): Readiness {
  const last = samples.at(-1);
  if (last === undefined) return "wait";
  if (last.status.app === "exited") return { exited: last.status.code };
  if (exposed.length === 0) {
    return last.listening.length > 0 || quietFor(samples, QUIET_WITHOUT_PORTS_MS) ? "ready" : "wait";
  }
  if (exposed.every((port) => last.listening.includes(port))) return "ready";
  return last.listening.length > 0 && quietFor(samples, QUIET_AFTER_LISTENING_MS) ? "ready" : "wait";
}

/** Whether the guest used next to no CPU during the last `durationMs`, all of it sampled. */
export function quietFor(samples: readonly Pick<ReadinessSample, "atMs" | "busyMs">[], durationMs: number): boolean {
  const last = samples.at(-1);
  const first = samples.findLast((sample) => last !== undefined && last.atMs - sample.atMs >= durationMs);
  if (last === undefined || first === undefined) return false;
  return (last.busyMs - first.busyMs) / (last.atMs - first.atMs) < QUIET_SHARE;
}
