import { readFile } from "node:fs/promises";
import { loadConfig } from "../config/load-config.ts";
import { homePaths } from "../config/paths.ts";
import type { ServerInfo } from "../model/server-info.ts";
import { readServerInfo, spawnServer, waitFor } from "./server-process.ts";
import { stopServer } from "./down.ts";

const START_LIMIT_MS = 120_000;

/** Starts the server; in the foreground it ends with Ctrl+C, putting running microVMs to sleep. */
export async function up(options: { detach?: boolean }): Promise<number> {
  const paths = homePaths(loadConfig().home);
  const already = await readServerInfo(paths.serverInfo);
  if (already !== undefined) {
    process.stderr.write(`Catnap is already up (process ${already.pid}).\n`);
    report(already, paths.home);
    return 0;
  }
  const before = await logSize(paths.log);
  const server = spawnServer(paths.log);
  let exitCode: number | undefined;
  const exited = new Promise<number>((resolve) => server.once("exit", (code) => resolve((exitCode = code ?? 1))));
  const info = await waitFor("starting", START_LIMIT_MS, async () => {
    if (exitCode !== undefined) return "ended" as const;
    const found = await readServerInfo(paths.serverInfo);
    return found?.pid === server.pid ? found : undefined;
  });
  if (info === undefined || info === "ended") {
    process.stderr.write(
      `Catnap did not start. ${await lastError(paths.log, before)}\nThe whole log: ${paths.log}. catnap doctor says what is missing.\n`,
    );
    return 1;
  }
  report(info, paths.home);
  if (options.detach === true) {
    server.unref();
    return 0;
  }
  process.stderr.write("Ctrl+C stops it; running microVMs are put to sleep.\n");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stopServer(info.pid));
  return exited;
}

function report(info: ServerInfo, home: string): void {
  const port = info.endpointPort === 443 ? "" : `:${info.endpointPort}`;
  process.stderr.write(
    [
      `Catnap is up (${info.acceleration === "kvm" ? "hardware virtualization" : "plain emulation"}).`,
      `  AWS API    ${info.apiUrl}`,
      `  endpoints  https://*.lambda-microvm.${info.region}.${info.domain}${port}`,
      `  state      ${home}`,
      ...engineLines(info),
      `Next: eval "$(catnap env)", then use the AWS CLI or any SDK.`,
      "",
    ].join("\n"),
  );
}

/** What became of a changed QEMU, kernel or guest agent. */
function engineLines({ renewing = 0, onFormerEngines = 0 }: Partial<ServerInfo>): string[] {
  return [
    ...(renewing > 0
      ? [
          `  engine     has changed: snapshots of ${renewing} image versions are made again in the background, without a build`,
        ]
      : []),
    ...(onFormerEngines > 0
      ? [`  engine     ${onFormerEngines} microVMs go on with the one they were started with, which is kept for them`]
      : []),
  ];
}

async function logSize(file: string): Promise<number> {
  return (await readFile(file).catch(() => Buffer.alloc(0))).length;
}

/** The last error line that this start wrote, in words. */
async function lastError(file: string, from: number): Promise<string> {
  const lines = (await readFile(file).catch(() => Buffer.alloc(0))).subarray(from).toString("utf8").trim().split("\n");
  for (const line of lines.toReversed()) {
    try {
      const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
      return err?.message ?? msg ?? line;
    } catch {
      if (line.trim() !== "") return line;
    }
  }
  return "It said nothing.";
}
