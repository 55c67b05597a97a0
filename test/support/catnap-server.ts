import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isAlive } from "../../src/cli/server-process.ts";
import { eventually } from "./eventually.ts";
import { CATNAP, mustRun, PROJECT, runProgram } from "./project.ts";

/** A real server in a home of its own, on free ports, driven by the real command line. */
export interface CatnapServer {
  readonly home: string;
  /** What `eval "$(catnap env)"` would set. */
  readonly clientEnv: () => Record<string, string>;
  /** What a command of the command line prints. */
  readonly catnap: (...args: string[]) => Promise<string>;
  readonly start: () => Promise<void>;
  /** `kill -9` of the server process; its microVMs run on. */
  readonly crash: () => Promise<void>;
  /** The same to a server so many milliseconds into its start; call it when none runs. */
  readonly crashWhileStarting: (afterMs: number) => Promise<void>;
  readonly down: () => Promise<void>;
  /** What `catnap doctor` says. */
  readonly doctor: () => Promise<string>;
  /** Ends the server, then removes everything it made. */
  readonly dispose: () => Promise<void>;
}

/** Undefined when there is none, or it is only half written: to kill process 0 is to kill oneself and one's like. */
async function readPid(home: string): Promise<number | undefined> {
  const text = await readFile(join(home, "catnap.pid"), "utf8").catch(() => "");
  return text.endsWith("\n") ? Number(text) : undefined;
}

async function killAndWait(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
  while (isAlive(pid)) await setTimeout(10);
}

/** Shell variables of ./dev offline-env: where the base image comes from when its registry is out of reach. */
export async function offlineEnvironment(): Promise<Record<string, string>> {
  const printed = await mustRun(join(PROJECT, "dev"), ["offline-env"]);
  return Object.fromEntries(
    [...printed.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm)].map((match) => [match[1], match[2]]),
  );
}

export async function newCatnapServer(settings: Record<string, string> = {}): Promise<CatnapServer> {
  const home = settings["CATNAP_HOME"] ?? (await mkdtemp(join(tmpdir(), `catnap-${randomBytes(2).toString("hex")}-`)));
  const env = {
    ...(await offlineEnvironment()),
    CATNAP_HOME: home,
    CATNAP_API_PORT: "0",
    CATNAP_ENDPOINT_PORT: "0",
    ...settings,
  };
  let clientEnv: Record<string, string> = {};
  const catnap = (...args: string[]) => mustRun(CATNAP, args, { env });
  const server: CatnapServer = {
    home,
    catnap,
    clientEnv: () => ({ ...clientEnv, AWS_PAGER: "" }),
    async start() {
      await catnap("up", "--detach");
      clientEnv = JSON.parse(await catnap("env", "--json")) as Record<string, string>;
    },
    crash: async () => killAndWait(await readPid(home)),
    async crashWhileStarting(afterMs) {
      const last = await readPid(home);
      const starting = runProgram(CATNAP, ["up", "--detach"], { env });
      const pid = await eventually<number>("a server starts", 60_000, async () => {
        const now = await readPid(home);
        return now === undefined || now === last ? { saw: String(now) } : { done: now };
      });
      await setTimeout(afterMs);
      await killAndWait(pid);
      await starting; // whatever it says
    },
    doctor: async () => (await runProgram(CATNAP, ["doctor"], { env })).stdout,
    down: async () => void (await catnap("down")),
    async dispose() {
      await runProgram(CATNAP, ["up", "--detach"], { env }); // a crashed server's machines are found and ended by the next one
      await runProgram(CATNAP, ["down"], { env });
      await rm(home, { recursive: true, force: true });
    },
  };
  return server;
}
