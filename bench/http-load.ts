import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../test/support/project.ts";
import { summarize } from "./quantiles.ts";

export interface LoadTarget {
  readonly port: number;
  readonly host: string;
  readonly headers: readonly string[];
}

export interface Load {
  readonly protocol: "h1" | "h2";
  readonly connections: number;
  /** Requests under way at once on each connection; HTTP/1.1 has one. */
  readonly streams: number;
  readonly seconds: number;
  readonly path: string;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const WARM_UP_SECONDS = 1;

/** Asks over kept-alive TLS connections for a while, with h2load, on one processor. */
export async function putLoad(
  target: LoadTarget,
  load: Load,
  { directory, cpu }: { directory: string; cpu: number },
): Promise<LoadResult> {
  const log = join(directory, "requests.log");
  await rm(log, { force: true });
  const printed = await mustRun("taskset", [
    ...["-c", String(cpu), "h2load", "--threads=1", `--clients=${load.connections}`],
    ...[`--duration=${load.seconds}`, `--warm-up-time=${WARM_UP_SECONDS}`, `--log-file=${log}`],
    ...(load.protocol === "h1" ? ["--h1"] : [`--max-concurrent-streams=${load.streams}`]),
    ...[`--connect-to=127.0.0.1:${target.port}`, ...target.headers.map((header) => `--header=${header}`)],
    `https://${target.host}${load.path}`,
  ]);
  const failed = Number(/(\d+) failed/.exec(printed)?.[1] ?? 0) + Number(/(\d+) 4xx/.exec(printed)?.[1] ?? 0);
  const wrong = Number(/(\d+) 5xx/.exec(printed)?.[1] ?? 0);
  const rows = (await readFile(log, "utf8")).trimEnd().split("\n");
  const times = rows.map((row) => Number(row.split("\t")[2]) / 1000);
  const { p50, p99 } = summarize(times);
  const requestsPerSecond = Number(/finished in [\d.]+s, ([\d.]+) req\/s/.exec(printed)?.[1] ?? 0);
  return { requestsPerSecond, p50Ms: p50, p99Ms: p99, failed: failed + wrong };
}
