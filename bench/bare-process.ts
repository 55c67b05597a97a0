import { spawn } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { PROJECT, mustRun } from "../test/support/project.ts";

/** The same Flask app with no virtual machine at all: process start to first 200, in milliseconds. */
export async function prepareBareFlask(): Promise<() => Promise<number>> {
  const venv = join(PROJECT, ".cache/bench-flask");
  // The distribution's own, whatever else the path offers: an environment of two Pythons does not start.
  await mustRun("/usr/bin/python3", ["-m", "venv", "--clear", venv]);
  await mustRun(join(venv, "bin/pip"), ["install", "-q", "-r", join(PROJECT, "test/apps/flask/requirements.txt")]);
  let port = 20_000 + (process.pid % 10_000);
  return async () => {
    port += 1;
    const begun = performance.now();
    const server = spawn(join(venv, "bin/gunicorn"), ["--bind", `127.0.0.1:${port}`, "app:app"], {
      cwd: join(PROJECT, "test/apps/flask"),
      stdio: "ignore",
      env: { PYTHONDONTWRITEBYTECODE: "1", PATH: process.env["PATH"] },
    });
    try {
      while (!(await answers(port))) {
        if (server.exitCode !== null) throw new Error(`gunicorn ended with exit code ${server.exitCode}`);
        await setTimeout(2);
      }
      return performance.now() - begun;
    } finally {
      if (server.kill("SIGTERM")) await new Promise((resolve) => server.once("exit", resolve));
    }
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
    });
    call.on("error", () => resolve(false));
    call.end();
  });
}
