import { loadConfig } from "../config/load-config.ts";
import { homePaths } from "../config/paths.ts";
import { isAlive, readServerInfo, waitFor } from "./server-process.ts";

const STOP_LIMIT_MS = 300_000;

/** Stops the server; every running microVM sleeps, its state on disk, and wakes after the next `catnap up`. */
export async function down(): Promise<number> {
  const info = await readServerInfo(homePaths(loadConfig().home).serverInfo);
  if (info === undefined) {
    process.stderr.write("Catnap is not running.\n");
    return 0;
  }
  return stopServer(info.pid);
}

export async function stopServer(pid: number): Promise<number> {
  process.kill(pid, "SIGTERM");
  const isGone = await waitFor("putting microVMs to sleep", STOP_LIMIT_MS, async () =>
    isAlive(pid) ? undefined : true,
  );
  process.stderr.write(isGone ? "Catnap is down.\n" : `The server (process ${pid}) does not end; its log says why.\n`);
  return isGone ? 0 : 1;
}
