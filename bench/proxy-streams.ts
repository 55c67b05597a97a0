import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Cleanup } from "../src/util/cleanup.ts";
import { mustRun } from "../test/support/project.ts";
import { countArgument } from "./arguments.ts";
import { openFilesFor } from "./open-files.ts";
import { residentBytes } from "./processes.ts";
import { isInstalled, makeCertificate, PEERS, startCatnap, type PeerPlace, type RunningPeer } from "./proxy-peers.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { openSlowRoad } from "./slow-road.ts";
import { transfer, type Transfer, type TransferResult } from "./transfer.ts";
import { mib, perSecond, seconds } from "./units.ts";

/** The proxies take turns on one processor; clients and backend share the other. */
const PROXY_CPU = 0;
const OTHERS_CPU = 1;
const FAR_BYTES = 64_000_000;
const ROUND_TRIP_MS = 90;
/** A client's connection and the application's. */
const FILES_PER_SOCKET = 2;
/** Everything else that a process has open. */
const OTHER_FILES = 200;

/** How much is measured. */
interface Plan {
  readonly sockets: number;
  readonly openFiles: number;
  readonly transfers: readonly Transfer[];
  readonly bytes: number;
}

interface IdleSockets {
  readonly openedInMs: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly echoed: number;
}

/** Large bodies, a long road and many idle WebSockets: `./dev bench proxy-streams [WEBSOCKETS] [MEGABYTES]`. */
export function proxyStreams(): Promise<void> {
  return runScenario(async (cleanup) => {
    const plan = await makePlan(countArgument(1, 10_000), countArgument(2, 1000) * 1_000_000);
    const directory = await mkdtemp(join(tmpdir(), "catnap-bench-"));
    cleanup.add(() => rm(directory, { recursive: true, force: true }));
    await makeCertificate(directory);
    const backend = await startScript(cleanup, plan, ["stream-backend.ts"]);
    const place = { directory, backendPort: Number(backend.line), cpu: PROXY_CPU };
    const bodies = new Map<string, TransferResult[]>();
    for (const [name, start] of Object.entries({ catnap: startCatnap, ...PEERS }))
      if (name === "catnap" || (await isInstalled(name)))
        bodies.set(name, await moveBodies(cleanup, plan, { name, start }, place));
    const far = await overLongRoad(cleanup, place);
    await report(plan, bodies, far, await holdSockets(cleanup, plan, place));
  });
}

async function makePlan(wantedSockets: number, bytes: number): Promise<Plan> {
  const openFiles = await openFilesFor(FILES_PER_SOCKET * wantedSockets + OTHER_FILES);
  const sockets = Math.min(wantedSockets, Math.floor((openFiles - OTHER_FILES) / FILES_PER_SOCKET));
  const transfers = (["http1.1", "http2"] as const).flatMap((protocol) =>
    (["down", "up"] as const).map((direction) => ({ protocol, direction, bytes })),
  );
  return { sockets, openFiles, transfers, bytes };
}

async function moveBodies(
  cleanup: Cleanup,
  { transfers, bytes }: Plan,
  { name, start }: { name: string; start: (place: PeerPlace) => Promise<RunningPeer> },
  place: PeerPlace,
): Promise<TransferResult[]> {
  const file = await fileOf(place.directory, bytes);
  const peer = await start(place);
  cleanup.add(() => peer.stop());
  const results: TransferResult[] = [];
  for (const what of transfers) {
    const result = await transfer(peer.target, what, { file, cpu: OTHERS_CPU, pid: peer.pid });
    progress(
      `${name}: ${what.protocol} ${what.direction}: ${megabytes(result.bytesPerSecond)}, ${mib(result.peakBytes)}`,
    );
    results.push(result);
  }
  await peer.stop();
  return results;
}

/** Uploads alone: their windows are the proxy's to open. */
async function overLongRoad(cleanup: Cleanup, place: PeerPlace): Promise<TransferResult[]> {
  const file = await fileOf(place.directory, FAR_BYTES);
  const peer = await startCatnap(place);
  cleanup.add(() => peer.stop());
  const port = await openSlowRoad(cleanup, peer.target.port, ROUND_TRIP_MS / 2);
  const results: TransferResult[] = [];
  for (const protocol of ["http1.1", "http2"] as const) {
    const what = { protocol, direction: "up", bytes: FAR_BYTES } as const;
    results.push(await transfer({ ...peer.target, port }, what, { file, cpu: OTHERS_CPU, pid: peer.pid }));
    progress(`over ${ROUND_TRIP_MS} ms: ${protocol} up: ${megabytes(results.at(-1)!.bytesPerSecond)}`);
  }
  await peer.stop();
  return results;
}

async function holdSockets(cleanup: Cleanup, plan: Plan, place: Omit<PeerPlace, "backendPort">): Promise<IdleSockets> {
  const backend = await startScript(cleanup, plan, ["stream-backend.ts"]);
  const peer = await startCatnap({ ...place, backendPort: Number(backend.line) });
  cleanup.add(() => peer.stop());
  await mustRun("prlimit", ["--pid", String(peer.pid), `--nofile=${plan.openFiles}`]);
  const { target } = peer;
  const [token = ""] = target.headers.map((header) => header.split(": ")[1] ?? "");
  const beforeBytes = await residentBytes(peer.pid);
  const args = [target.port, target.host, token, plan.sockets].map(String);
  const clients = await startScript(cleanup, plan, ["idle-websockets.ts", ...args]);
  const afterBytes = await residentBytes(peer.pid);
  const echoed = Number(await clients.ask());
  progress(`${echoed} of ${plan.sockets} WebSockets answer; ${mib(beforeBytes)} before, ${mib(afterBytes)} with them`);
  await peer.stop();
  return { openedInMs: Number(clients.line), beforeBytes, afterBytes, echoed };
}

interface Script {
  readonly pid: number;
  /** The first line that it printed. */
  readonly line: string;
  /** Sends it a line and gives back the one it prints then. */
  ask(): Promise<string>;
}

async function startScript(
  cleanup: Cleanup,
  { openFiles }: Plan,
  [name = "", ...args]: readonly string[],
): Promise<Script> {
  const command = [process.execPath, "--disable-warning=ExperimentalWarning", join(import.meta.dirname, name), ...args];
  const child = spawn("prlimit", [`--nofile=${openFiles}`, "taskset", "-c", String(OTHERS_CPU), ...command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  cleanup.add(async () => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const next = async () => {
    const [line] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
    if (line === undefined) throw new Error(`${name} ended before it said anything`);
    return line;
  };
  const line = await next();
  const ask = (): Promise<string> => {
    const answer = next();
    child.stdin.write("\n");
    return answer;
  };
  return { pid: child.pid ?? 0, line, ask };
}

/** A sparse file, in the page cache already: the first to send it would wait for that. */
async function fileOf(directory: string, bytes: number): Promise<string> {
  const file = join(directory, `zeros-${bytes}`);
  await writeFile(file, "");
  await truncate(file, bytes);
  await mustRun("cp", [file, "/dev/null"]);
  return file;
}

async function report(
  { sockets, transfers, bytes }: Plan,
  bodies: Map<string, TransferResult[]>,
  far: TransferResult[],
  idle: IdleSockets,
): Promise<void> {
  const names = [...bodies.keys()];
  const heading = `${bytes / 1e6} MB over one TLS connection: speed, by second of own work, memory at most (before)`;
  const rows = transfers.map(({ protocol, direction }, index) => [
    `${protocol} ${direction}`,
    ...names.map((name) => describe(bodies.get(name)![index]!)),
  ]);
  const farRows = far.map(({ bytesPerSecond }, index) => [
    index === 0 ? "http1.1" : "http2",
    megabytes(bytesPerSecond),
  ]);
  const each = Math.round((idle.afterBytes - idle.beforeBytes) / sockets);
  await publish({
    scenario: "proxy-streams",
    tables: [
      [[heading, ...names], ...rows],
      [[`upload of ${FAR_BYTES / 1e6} MB over ${ROUND_TRIP_MS} ms`, "catnap"], ...farRows],
      [
        ["idle WebSockets", "opened in", "memory before", "memory with them", "each", "echoed"],
        [
          String(sockets),
          `${seconds(idle.openedInMs)} (${perSecond((sockets / idle.openedInMs) * 1000)})`,
          mib(idle.beforeBytes),
          mib(idle.afterBytes),
          `${(each / 1024).toFixed(1)} KiB`,
          String(idle.echoed),
        ],
      ],
    ],
    charts: [
      {
        title: `${bytes / 1e6} MB over one TLS connection, down and up, HTTP/1.1 and HTTP/2`,
        x: "",
        y: "MB/s",
        kind: "samples",
        series: names.map((name, index) => ({
          name,
          points: bodies.get(name)!.map(({ bytesPerSecond }) => [index, bytesPerSecond / 1e6] as const),
        })),
      },
    ],
    data: { bodies: Object.fromEntries(bodies), far, idle },
  });
}

function describe({ bytesPerSecond, bytesPerCpuSecond, peakBytes, beforeBytes }: TransferResult): string {
  return `${megabytes(bytesPerSecond)}, ${megabytes(bytesPerCpuSecond)}, ${mib(peakBytes)} (${mib(beforeBytes)})`;
}

function megabytes(bytesPerSecond: number): string {
  const value = bytesPerSecond / 1e6;
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} MB/s`;
}
