import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { AppError } from "../errors/app-error.ts";
import type { HomePaths } from "../config/paths.ts";

/** One server per home: the pid file names it; one left by a server that died is taken over. */
export async function lockHome(paths: HomePaths): Promise<() => Promise<void>> {
  await mkdir(paths.home, { recursive: true, mode: 0o700 });
  const holder = await runningServer(paths);
  if (holder !== undefined) {
    throw new AppError("ERR_HOME_IN_USE", {
      message: `A Catnap server (process ${holder}) already runs on ${paths.home}; stop it with catnap down, or set CATNAP_HOME`,
    });
  }
  await writeFile(paths.pidFile, `${process.pid}\n`);
  return () => rm(paths.pidFile, { force: true });
}

async function runningServer(paths: HomePaths): Promise<number | undefined> {
  const pid = Number(await readFile(paths.pidFile, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return undefined;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.includes("src/main/main.ts") ? pid : undefined;
}
