import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { chromium, type Browser } from "playwright-core";
import { onTestFinished } from "vitest";
import { mustRun } from "./project.ts";

export interface BrowserOptions {
  /** The root that signs endpoints, trusted as by a person who imported it. */
  readonly rootFile: string;
  /** The one port of this host that the browser reaches. */
  readonly port: number;
}

/**
 * A Chromium of its own. It sees no network but loopback, as it drops all that is under way whenever any interface of
 * its host gets an address (ERR_NETWORK_CHANGED), and other tests add interfaces all the time.
 */
export async function useBrowser({ rootFile, port }: BrowserOptions): Promise<Browser> {
  const home = await mkdtemp(join(tmpdir(), "cb-"));
  onTestFinished(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const database = join(home, ".pki/nssdb");
  await mkdir(database, { recursive: true });
  await mustRun("certutil", ["-d", `sql:${database}`, "-N", "--empty-password"]);
  await mustRun("certutil", ["-d", `sql:${database}`, "-A", "-n", "catnap", "-t", "C,,", "-i", rootFile]);
  const program = (await mustRun("sh", ["-c", "command -v chromium || command -v google-chrome"])).trim();
  const namespace = await useLoopback(home, port);
  const executablePath = join(home, "browser");
  await writeFile(executablePath, `#!/bin/sh\nexec nsenter --net=${namespace} ${program} "$@"\n`);
  await chmod(executablePath, 0o755);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-proxy-server", "--disable-gpu"],
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
  });
  onTestFinished(() => browser.close());
  return browser;
}

/** A network namespace with nothing but loopback, on which one port leads to the same port of this host. */
async function useLoopback(directory: string, port: number): Promise<string> {
  const socketPath = join(directory, "forward");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const onward = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
    pipeline(socket, onward, () => {});
    pipeline(onward, socket, () => {});
  });
  await once(server.listen(socketPath), "listening");
  onTestFinished(() => void server.close());
  const script = 'ip link set lo up && exec "$@"';
  const forward = [process.execPath, join(import.meta.dirname, "forward-port.ts"), String(port), socketPath];
  const inside = spawn("unshare", ["--net", "sh", "-c", script, "sh", ...forward], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void inside.kill("SIGKILL"));
  await once(inside.stdout, "data");
  return `/proc/${inside.pid}/ns/net`;
}
