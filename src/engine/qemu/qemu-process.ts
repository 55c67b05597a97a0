import { spawn } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors/app-error.ts";
import { must } from "../../util/assert.ts";
import { QMP_SOCKET } from "./command-line.ts";
import { openInherited, UPPER_DESCRIPTOR, type FilesToInherit } from "./inherited-files.ts";
import { startTicksOf, VMM_LOG } from "./process-identity.ts";
import { QmpClient } from "./qmp-client.ts";

/** Process start to the monitor's socket; generous because hosts run many starts at once. */
const START_TIMEOUT_MS = 60_000;

export interface StartedQemu {
  readonly pid: number;
  readonly startTicks: string;
  readonly qmp: QmpClient;
}

export interface LaunchSpec {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly namespace: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly launcher: string;
  /** Files by which it joins its control groups. */
  readonly groups: readonly string[];
  /** A file, and the list of its ranges to have in memory; or nothing. */
  readonly prefetch: readonly string[];
  readonly files: FilesToInherit;
}

/** Starts a monitor in its network namespace, in a session of its own so that it outlives the server. */
export async function launchQemu(spec: LaunchSpec): Promise<StartedQemu> {
  const socket = join(spec.directory, QMP_SOCKET);
  await rm(socket, { force: true });
  const log = await open(join(spec.directory, VMM_LOG), "w", 0o600);
  const inherited = await openInherited(spec.files).catch(async (cause: unknown) => {
    await log.close();
    throw cause;
  });
  try {
    const { upperFrom } = spec.files;
    const copy = upperFrom === undefined ? [] : ["--copy", upperFrom, String(UPPER_DESCRIPTOR)];
    const prefetch = spec.prefetch.length === 0 ? [] : ["--prefetch", ...spec.prefetch];
    const child = spawn(
      spec.launcher,
      [`/run/netns/${spec.namespace}`, ...spec.groups, ...copy, ...prefetch, "--", spec.program, ...spec.args],
      {
        cwd: spec.directory,
        detached: true,
        env: spec.environment,
        stdio: ["ignore", log.fd, log.fd, ...inherited.stdio],
      },
    );
    child.unref();
    const died = new Promise<never>((_, reject) => {
      child.once("error", (cause) => reject(new AppError("ERR_ENGINE_START", { cause })));
      child.once("exit", () => void explainExit(spec.directory).then(reject, reject));
    });
    died.catch(() => {}); // the race below may be over
    const qmp = await Promise.race([QmpClient.open(socket, { timeoutMs: START_TIMEOUT_MS }), died]).catch(
      (cause: unknown) => {
        child.kill("SIGKILL");
        throw cause;
      },
    );
    child.removeAllListeners("exit"); // from here on the closed monitor socket tells of the end
    const pid = must(child.pid, "a process id");
    return { pid, startTicks: must(await startTicksOf(pid), "a living process"), qmp };
  } finally {
    await Promise.all([log.close(), inherited.close()]);
  }
}

async function explainExit(directory: string): Promise<AppError> {
  const log = await open(join(directory, VMM_LOG), "r");
  try {
    const said = (await log.readFile("utf8")).trim().slice(-2000);
    return new AppError("ERR_ENGINE_START", {
      message: `The virtual machine monitor ended at once: ${said || "it said nothing"}`,
    });
  } finally {
    await log.close();
  }
}
