import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putLoad, warmUp, type Load, type LoadResult } from "./http-load.ts";
import {
  isInstalled,
  makeCertificate,
  PEERS,
  startBackend,
  startCatnap,
  type PeerPlace,
  type RunningPeer,
} from "./proxy-peers.ts";
import { formatTable } from "./table.ts";

const SECONDS = Number(process.argv[3] ?? 4);
/** Loads whose name has this are put; all by default. */
const WANTED = process.argv[4] ?? "";
/** The proxies take turns on one processor; clients and backend share the other. */
const PROXY_CPU = 0;
const OTHERS_CPU = 1;
const ALL_LOADS: Readonly<Record<string, Load>> = {
  "h1 1 connection": { protocol: "h1", connections: 1, streams: 1, seconds: SECONDS, path: "/" },
  "h1 32": { protocol: "h1", connections: 32, streams: 1, seconds: SECONDS, path: "/" },
  "h1 256": { protocol: "h1", connections: 256, streams: 1, seconds: SECONDS, path: "/" },
  "h1 32, 16 kB": { protocol: "h1", connections: 32, streams: 1, seconds: SECONDS, path: "/16k" },
  "h2 1 stream": { protocol: "h2", connections: 1, streams: 1, seconds: SECONDS, path: "/" },
  "h2 4 × 8 streams": { protocol: "h2", connections: 4, streams: 8, seconds: SECONDS, path: "/" },
  "h2 32 × 8 streams": { protocol: "h2", connections: 32, streams: 8, seconds: SECONDS, path: "/" },
  "h2 4 × 8 streams, 16 kB": { protocol: "h2", connections: 4, streams: 8, seconds: SECONDS, path: "/16k" },
};

const LOADS = Object.fromEntries(Object.entries(ALL_LOADS).filter(([name]) => name.includes(WANTED)));

type Results = Record<string, Record<string, LoadResult & { residentMiB: number }>>;

/** Requests per second over kept-alive TLS, our proxy and the distribution's in front of the same app. */
export async function proxy(): Promise<void> {
  for (const program of ["h2load", "nginx", "taskset", "openssl"]) {
    if (await isInstalled(program)) continue;
    console.log(`skipped: ${program} is not installed (apt install nghttp2-client nginx-light util-linux openssl)`);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), "catnap-bench-"));
  try {
    await makeCertificate(directory);
    const backend = await startBackend({ directory, cpu: OTHERS_CPU });
    const place = { directory, backendPort: backend.port, cpu: PROXY_CPU };
    await report(await measureAll(place).finally(() => backend.stop()));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** In turns, so that whatever else the machine does meets all of them. */
async function measureAll(place: PeerPlace): Promise<Results> {
  const peers = new Map<string, RunningPeer>();
  try {
    for (const [name, start] of Object.entries({ catnap: startCatnap, ...PEERS })) {
      if (name !== "catnap" && !(await isInstalled(name))) console.error(`  ${name}: skipped, not installed`);
      else peers.set(name, await start(place));
    }
    for (const { target } of peers.values()) await warmUp(target, { directory: place.directory, cpu: OTHERS_CPU });
    const results: Results = Object.fromEntries([...peers.keys()].map((name) => [name, {}]));
    for (const what of Object.keys(LOADS))
      for (const [name, peer] of peers) results[name]![what] = await measure(name, peer, { what, ...place });
    return results;
  } finally {
    for (const peer of peers.values()) await peer.stop();
  }
}

async function measure(
  name: string,
  { target, pid }: RunningPeer,
  { what, directory }: { what: string; directory: string },
): Promise<Results[string][string]> {
  const result = await putLoad(target, LOADS[what]!, { directory, cpu: OTHERS_CPU, pid });
  const { requestsPerSecond, p50Ms, p99Ms, failed } = result;
  console.error(
    `  ${name}: ${what}: ${requestsPerSecond.toFixed(0)}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${failed} failed`,
  );
  return { ...result, residentMiB: await residentMiB(pid) };
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

async function report(results: Results): Promise<void> {
  console.log(table(results, "requests/s (p50 / p99 ms)", "requestsPerSecond", showLatency));
  console.log();
  console.log(
    table(results, "requests by second of the proxy's own work", "requestsPerCpuSecond", (one) =>
      String(one.requestsPerCpuSecond),
    ),
  );
  await mkdir(join(import.meta.dirname, "results"), { recursive: true });
  const file = join(import.meta.dirname, "results/proxy.json");
  const record = { measuredAt: new Date().toISOString(), seconds: SECONDS, results };
  await writeFile(file, `${JSON.stringify(record, null, 2)}\n`);
}

function table(
  results: Results,
  title: string,
  column: "requestsPerSecond" | "requestsPerCpuSecond",
  show: (result: LoadResult) => string,
): string {
  const others = Object.keys(results).slice(1);
  const rows = [[title, ...Object.keys(results), ...others.map((name) => `÷ ${name}`)]];
  for (const what of Object.keys(LOADS)) {
    const all = Object.values(results).map((measured) => measured[what]!);
    const ours = all[0]![column];
    rows.push([what, ...all.map(show), ...all.slice(1).map((one) => (ours / one[column]).toFixed(2))]);
  }
  return formatTable(rows);
}

function showLatency({ requestsPerSecond, p50Ms, p99Ms, failed }: LoadResult): string {
  const times = `${requestsPerSecond.toFixed(0)} (${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)})`;
  return failed > 0 ? `${times} ${failed} FAILED` : times;
}
