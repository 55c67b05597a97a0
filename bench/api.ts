import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { mustRun } from "../test/support/project.ts";
import type { SigningKey } from "../test/support/sign-request.ts";
import { API_CALLS, signedRequests } from "./api-calls.ts";
import { countArgument, countsArgument } from "./arguments.ts";
import { fillStore } from "./fill-store.ts";
import { keepAliveLoad, type KeepAliveResult } from "./keep-alive-load.ts";
import { usageOf } from "./processes.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";

const STORED = countsArgument(1, [10, 10_000]);
const SECONDS = countArgument(2, 5);
const SERVER_CPU = 0;
const CLIENT_CPU = 1;
const CONNECTIONS = 8;
/** Different requests of each kind, sent round and round. */
const POOL = 2000;
const FSYNC_MS = 2000;

interface Server {
  readonly pid: number;
  readonly port: number;
  readonly key: SigningKey;
  stop(): Promise<void>;
}

interface Measured extends KeepAliveResult {
  /** What a processor of its own would carry: answers by the time the server was at work, whoever else was. */
  readonly perCpuSecond: number;
}

type Results = ReadonlyMap<number, ReadonlyMap<string, Measured>>;

/** Calls per second of the API, its server on one processor and the clients on the other, with few and many things stored. */
export function api(): Promise<void> {
  return runScenario(async (cleanup) => {
    await mustRun("taskset", ["-acp", String(CLIENT_CPU), String(process.pid)]);
    const directory = await mkdtemp(join(tmpdir(), "catnap-bench-"));
    cleanup.add(() => rm(directory, { recursive: true, force: true }));
    const fsyncs = [fsyncsPerSecond(directory)];
    const results = new Map<number, ReadonlyMap<string, Measured>>();
    for (const count of STORED) {
      const home = join(directory, String(count));
      const stored = await fillStore(home, count);
      const server = await startServer(home);
      cleanup.add(() => server.stop());
      const measured = new Map<string, Measured>();
      results.set(count, measured);
      for (const call of API_CALLS) {
        const requests = signedRequests(call, stored, { key: server.key, count: POOL });
        measured.set(call.name, await measure(server, requests));
        progress(`${count} stored: ${call.name}: ${describe(measured.get(call.name)!)}`);
      }
      await server.stop();
    }
    fsyncs.push(fsyncsPerSecond(directory));
    await report(results, fsyncs);
  });
}

async function measure({ port, pid }: Server, requests: readonly Buffer[]): Promise<Measured> {
  let at = 0;
  const next = () => requests[at++ % requests.length] as Buffer;
  const load = { port, connections: CONNECTIONS, next };
  await keepAliveLoad({ ...load, seconds: 1 });
  const before = (await usageOf([pid])).cpuSeconds;
  const result = await keepAliveLoad({ ...load, seconds: SECONDS });
  const worked = (await usageOf([pid])).cpuSeconds - before;
  if (result.failure !== undefined) progress(`an answer that was no success: ${result.failure}`);
  return { ...result, perCpuSecond: result.milliseconds.n / worked };
}

async function startServer(home: string): Promise<Server> {
  const script = join(import.meta.dirname, "api-under-test.ts");
  const args = ["-c", String(SERVER_CPU), process.execPath, "--disable-warning=ExperimentalWarning", script, home];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const line = await firstLine(child.stdout);
  return {
    ...(JSON.parse(line) as Pick<Server, "port" | "key">),
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGINT");
      await ended;
    },
  };
}

async function firstLine(output: Readable): Promise<string> {
  let text = "";
  for await (const bytes of output.iterator({ destroyOnReturn: false })) {
    text += String(bytes);
    if (text.includes("\n")) return text;
  }
  throw new Error("the server under test did not start");
}

/** What the disk allows: a page written and on disk before the next, one at a time. */
function fsyncsPerSecond(directory: string): number {
  const descriptor = openSync(join(directory, "fsync"), "w");
  const page = Buffer.alloc(4096, 1);
  const end = performance.now() + FSYNC_MS;
  let count = 0;
  for (; performance.now() < end; count++) {
    writeSync(descriptor, page);
    fdatasyncSync(descriptor);
  }
  closeSync(descriptor);
  return Math.round((count * 1000) / FSYNC_MS);
}

async function report(results: Results, fsyncs: readonly number[]): Promise<void> {
  const rows = (show: (measured: Measured) => string) =>
    API_CALLS.map(({ name, isDurableWrite }) => [
      isDurableWrite ? `${name} *` : name,
      ...[...results.values()].map((measured) => show(measured.get(name)!)),
    ]);
  const counts = [...results.keys()].map((count) => `${count} stored`);
  await publish({
    scenario: "api",
    tables: [
      [["calls per second (p50 / p99 ms)", ...counts], ...rows(describe)],
      [
        ["calls per second of the server's own work", ...counts],
        ...rows(({ perCpuSecond }) => perCpuSecond.toFixed(0)),
      ],
    ],
    remarks: [
      `* on disk before it is answered; the disk takes ${fsyncs.join(" to ")} synchronous writes of 4 KiB per second`,
    ],
    charts: [
      {
        title: "Calls per second by what is stored",
        x: "microVMs and images stored",
        y: "1/s",
        kind: "lines",
        series: API_CALLS.map(({ name }) => ({
          name,
          points: [...results].map(([count, measured]) => [count, measured.get(name)!.requestsPerSecond] as const),
        })),
      },
    ],
    data: {
      seconds: SECONDS,
      connections: CONNECTIONS,
      fsyncs,
      results: Object.fromEntries([...results].map(([count, measured]) => [count, Object.fromEntries(measured)])),
    },
  });
}

function describe({ requestsPerSecond, milliseconds, failed }: KeepAliveResult): string {
  const { p50, p99 } = milliseconds;
  const rate = `${requestsPerSecond.toFixed(0)} (${p50.toFixed(1)} / ${p99.toFixed(1)})`;
  return failed > 0 ? `${rate} ${failed} FAILED` : rate;
}
