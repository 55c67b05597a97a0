import { setTimeout } from "node:timers/promises";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { failedToStart } from "./app-failure.ts";
import type { BuildLog } from "./build-log.ts";
import { judgeReadiness, quietFor, type ReadinessSample } from "./readiness.ts";

const POLL_MS = 200;
/** Samples older than this decide nothing. */
const KEPT_SAMPLES = 200;
const DEFAULT_PORT = 8080;
/** After the ports accept: a short wait for start-up work to end, so that clones do not repeat it. */
const SETTLE_QUIET_MS = 500;
const SETTLE_POLL_MS = 250;
const SETTLE_LIMIT_MS = 5_000;

export interface ReadyOptions {
  readonly link: GuestLink;
  readonly log: BuildLog;
  readonly exposed: readonly number[];
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Settles when an app that has ended has nothing left to say. */
  readonly outputEnded: Promise<void>;
}

/** Returns when the app may be snapshotted; at the limit also when it never listened, as the service does. */
export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const { exposed, log, limitMs } = options;
  const samples: ReadinessSample[] = [];
  const begun = performance.now();
  for (;;) {
    await takeSample(options, samples);
    const readiness = judgeReadiness(samples, exposed);
    if (typeof readiness === "object") {
      throw await failedToStart(readiness.exited, log, options.outputEnded);
    }
    const elapsed = performance.now() - begun;
    if (readiness === "ready") {
      log.line(`the app is ready after ${(elapsed / 1000).toFixed(1)} s${describe(samples.at(-1)?.listening ?? [])}`);
      return waitUntilQuiet(options);
    }
    if (elapsed > limitMs) {
      const ports =
        exposed.length === 0
          ? "no port was exposed"
          : `nothing accepts on the exposed port${exposed.length > 1 ? "s" : ""} ${exposed.join(", ")}`;
      log.line(`after ${Math.round(limitMs / 1000)} s ${ports}; the snapshot is taken as the app is now`);
      return;
    }
    await setTimeout(POLL_MS, undefined, { signal: options.signal });
  }
}

async function waitUntilQuiet({ link, signal }: ReadyOptions): Promise<void> {
  const samples: { atMs: number; busyMs: number }[] = [];
  const deadline = performance.now() + SETTLE_LIMIT_MS;
  while (performance.now() < deadline && !quietFor(samples, SETTLE_QUIET_MS)) {
    samples.push({ busyMs: await link.busyMs(), atMs: performance.now() });
    await setTimeout(SETTLE_POLL_MS, undefined, { signal });
  }
}

async function takeSample({ link, exposed }: ReadyOptions, samples: ReadinessSample[]): Promise<void> {
  const ports = exposed.length === 0 ? [DEFAULT_PORT] : exposed.slice(0, MAX_ASKED_PORTS);
  const [status, listening, busyMs] = await Promise.all([link.status(), link.listeningPorts(ports), link.busyMs()]);
  samples.push({ atMs: performance.now(), status, listening, busyMs });
  if (samples.length > KEPT_SAMPLES) samples.shift();
}

/** More than any app waits for; the guest answers for so many at a time. */
const MAX_ASKED_PORTS = 64;

function describe(listening: readonly number[]): string {
  return listening.length === 0 ? "" : `, listening on ${listening.join(", ")}`;
}
