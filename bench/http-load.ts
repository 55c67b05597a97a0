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
  /** What a processor of its own would carry: requests by the time the proxy was at work, whoever else was. */
  readonly requestsPerCpuSecond: number;
}

const WARM_UP_SECONDS = 1;
const WARM_UP_ALL_SECONDS = 5;
const TICKS_PER_SECOND = 100;

/** Asks over kept-alive TLS connections for a while, with h2load, on one processor. */
export async function putLoad(
  target: LoadTarget,
  load: Load,
  { directory, cpu, pid }: { directory: string; cpu: number; pid: number },
): Promise<LoadResult> {
  const log = join(directory, "requests.log");
  await h2load(target, { ...load, seconds: WARM_UP_SECONDS }, { cpu, log });
  await rm(log, { force: true });
  const before = await cpuSeconds(pid);
  const printed = await h2load(target, load, { cpu, log });
  const worked = (await cpuSeconds(pid)) - before;
  const failed = Number(/(\d+) failed/.exec(printed)?.[1] ?? 0) + Number(/(\d+) 4xx/.exec(printed)?.[1] ?? 0);
  const wrong = Number(/(\d+) 5xx/.exec(printed)?.[1] ?? 0);
  const rows = (await readFile(log, "utf8")).trimEnd().split("\n");
  const times = rows.map((row) => Number(row.split("\t")[2]) / 1000);
  const { p50, p99 } = summarize(times);
  const requestsPerSecond = Number(/finished in [\d.]+s, ([\d.]+) req\/s/.exec(printed)?.[1] ?? 0);
  const requestsPerCpuSecond = Math.round(rows.length / worked);
  return { requestsPerSecond, p50Ms: p50, p99Ms: p99, failed: failed + wrong, requestsPerCpuSecond };
}

/** Lets a proxy become as fast as it gets: compilers at run time need thousands of requests to know what matters. */
export async function warmUp(
  target: LoadTarget,
  { directory, cpu }: { directory: string; cpu: number },
): Promise<void> {
  const log = join(directory, "warm-up.log");
  for (const protocol of ["h1", "h2"] as const)
    await h2load(
      target,
      { protocol, connections: 32, streams: 1, path: "/", seconds: WARM_UP_ALL_SECONDS },
      { cpu, log },
    );
  await rm(log, { force: true });
}

function h2load(target: LoadTarget, load: Load, { cpu, log }: { cpu: number; log: string }): Promise<string> {
  return mustRun("taskset", [
    ...["-c", String(cpu), "h2load", "--threads=1", `--clients=${load.connections}`],
    ...[`--duration=${load.seconds}`, `--log-file=${log}`],
    ...(load.protocol === "h1" ? ["--h1"] : [`--max-concurrent-streams=${load.streams}`]),
    ...[`--connect-to=127.0.0.1:${target.port}`, ...target.headers.map((header) => `--header=${header}`)],
    `https://${target.host}${load.path}`,
  ]);
}

/** Of a process and its children: nginx works in one. */
async function cpuSeconds(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  let ticks = 0;
  for (const one of [pid, ...children.filter((child) => child !== "")]) {
    const fields = (await readFile(`/proc/${one}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}
