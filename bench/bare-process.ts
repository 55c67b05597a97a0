import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { PROJECT, mustRun } from "../test/support/project.ts";
import type { Sample } from "./alternate.ts";
import { freePort } from "./free-port.ts";
import { treeOf, usageOf } from "./processes.ts";

const POLL_MS = 2;

export interface BareCommand {
  readonly directory: string;
  /** Program and arguments for a port of 127.0.0.1. */
  readonly command: (port: number) => readonly [file: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
}

/** The same Flask app with no virtual machine at all: process start to first 200. */
export async function prepareBareFlask(): Promise<() => Promise<Sample>> {
  const directory = join(PROJECT, "test/apps/flask");
  const venv = await preparePython("bench-flask", join(directory, "requirements.txt"));
  return () =>
    startBare({
      directory,
      command: (port) => [join(venv, "bin/gunicorn"), "--bind", `127.0.0.1:${port}`, "app:app"],
      env: { PYTHONDONTWRITEBYTECODE: "1" },
    });
}

/** A virtual environment with these requirements, made once. */
export async function preparePython(name: string, requirements: string): Promise<string> {
  const venv = join(PROJECT, ".cache", name);
  // The distribution's own, whatever else the path offers: an environment of two Pythons does not start.
  await mustRun("/usr/bin/python3", ["-m", "venv", venv]);
  await mustRun(join(venv, "bin/pip"), ["install", "-q", "-r", requirements]);
  return venv;
}

/** Process start to the last byte of the first 200; ends the process. */
export async function startBare({ directory, command, env = {} }: BareCommand): Promise<Sample> {
  const port = await freePort();
  const [file, ...args] = command(port);
  const begun = performance.now();
  const child = spawn(file, args, { cwd: directory, stdio: "ignore", env: { PATH: process.env["PATH"], ...env } });
  const failed = once(child, "error").then(([cause]) => Promise.reject(cause as Error));
  const answered = untilAnswered(port, () => child.exitCode);
  try {
    await Promise.race([answered, failed]);
    const ms = performance.now() - begun;
    return { ms, ...(await usageOf(await treeOf(child.pid ?? 0))) };
  } finally {
    if (child.kill("SIGTERM")) await once(child, "exit");
  }
}

/** Asks until the answer is a 200: the app tells nobody when it listens. */
export async function untilAnswered(port: number, exitCode: () => number | null): Promise<void> {
  while (!(await answers(port))) {
    if (exitCode() !== null) throw new Error(`the program ended with exit code ${exitCode()}`);
    await setTimeout(POLL_MS);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
      response.on("error", () => resolve(false));
    });
    call.on("error", () => resolve(false));
    call.end();
  });
}
