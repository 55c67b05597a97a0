import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ServerInfo } from "../model/server-info.ts";

const SERVER = join(import.meta.dirname, "../main/main.ts");
const POLL_MS = 50;
/**
 * V8's room for new objects (MiB, held three times) grows to its limit and stays: the standard of 16 costs 25 MB more. The
 * endpoints' proxy says itself when the buffers of bodies are to be freed.
 */
export const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=8", "--expose-gc"];

/** Starts the server in a session of its own, its log appended to a file. */
export function spawnServer(logFile: string): ChildProcess {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, "a", 0o600);
  return spawn(process.execPath, [...NODE_FLAGS, SERVER], {
    detached: true,
    stdio: ["ignore", log, log],
  });
}

/** What a server says of itself once it is up; undefined while none runs. */
export async function readServerInfo(infoFile: string): Promise<ServerInfo | undefined> {
  const text = await readFile(infoFile, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const info = JSON.parse(text) as ServerInfo;
  return isAlive(info.pid) ? info : undefined;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for a condition, telling every two seconds that it still does. */
export async function waitFor<T>(
  what: string,
  limitMs: number,
  probe: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const begun = performance.now();
  let told = begun;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    const now = performance.now();
    if (now - begun > limitMs) return undefined;
    if (now - told > 2_000) {
      told = now;
      process.stderr.write(`  ${what} … ${Math.round((now - begun) / 1000)} s\n`);
    }
    await setTimeout(POLL_MS);
  }
}
