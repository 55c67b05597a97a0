import { mustRun } from "../test/support/project.ts";
import type { LoadTarget } from "./http-load.ts";
import { residentBytes, treeOf, usageOf } from "./processes.ts";

export interface Transfer {
  readonly direction: "down" | "up";
  readonly protocol: "http1.1" | "http2";
  readonly bytes: number;
}

export interface TransferResult {
  readonly bytesPerSecond: number;
  /** By a second of the proxy's own work, whoever else was at work on its processor. */
  readonly bytesPerCpuSecond: number;
  /** What the proxy's memory came to meanwhile, and before. */
  readonly peakBytes: number;
  readonly beforeBytes: number;
}

const SAMPLE_MS = 50;

export interface Place {
  /** A file of as many bytes as are sent. */
  readonly file: string;
  readonly cpu: number;
  /** Of the proxy. */
  readonly pid: number;
}

/** Moves bytes through a proxy with curl, over one TLS connection. */
export async function transfer(target: LoadTarget, what: Transfer, place: Place): Promise<TransferResult> {
  const pids = await treeOf(place.pid);
  const memory = async () => (await Promise.all(pids.map(residentBytes))).reduce((sum, bytes) => sum + bytes, 0);
  const beforeBytes = await memory();
  const { cpuSeconds } = await usageOf(pids);
  let peakBytes = beforeBytes;
  const sampler = setInterval(() => {
    void memory().then(
      (bytes) => (peakBytes = Math.max(peakBytes, bytes)),
      () => {},
    );
  }, SAMPLE_MS);
  try {
    const seconds = await curl(target, what, place);
    const worked = (await usageOf(pids)).cpuSeconds - cpuSeconds;
    return { bytesPerSecond: what.bytes / seconds, bytesPerCpuSecond: what.bytes / worked, peakBytes, beforeBytes };
  } finally {
    clearInterval(sampler);
  }
}

async function curl(target: LoadTarget, { direction, protocol, bytes }: Transfer, place: Place): Promise<number> {
  const printed = await mustRun("taskset", [
    ...["-c", String(place.cpu), "curl", "-sS", "--insecure", "--noproxy", "*", `--${protocol}`, "-o", "/dev/null"],
    ...["--resolve", `${target.host}:${target.port}:127.0.0.1`, ...target.headers.flatMap((header) => ["-H", header])],
    ...["-H", "expect:", "-w", "%{http_code} %{http_version} %{size_download} %{size_upload} %{time_total}"],
    ...(direction === "up" ? ["-T", place.file] : []),
    `https://${target.host}:${target.port}/${direction === "up" ? "" : bytes}`,
  ]);
  const [status, version, down, up, seconds] = printed.split(" ");
  const moved = Number(direction === "up" ? up : down);
  if (status !== "200" || moved !== bytes || version !== (protocol === "http2" ? "2" : "1.1"))
    throw new Error(`${direction} over ${protocol}: ${printed}`);
  return Number(seconds);
}
