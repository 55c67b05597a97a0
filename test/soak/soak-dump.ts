import { copyFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { homePaths } from "../../src/config/paths.ts";
import { runProgram } from "../support/project.ts";
import { Tally, type Counts } from "./soak-report.ts";

const ERROR = 50;

/** What somebody needs who wants to know why: kept when the home is removed. */
export async function saveDump(home: string, seed: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `catnap-soak-${seed}-`));
  const { log, database, auditLog } = homePaths(home);
  for (const file of [log, database, `${database}-wal`, auditLog])
    await copyFile(file, join(directory, basename(file))).catch(() => {});
  const looks = [
    ["find", home, "-path", "*/containers/*", "-prune", "-o", "-ls"],
    ["ps", "-eo", "pid,ppid,stat,lstart,args"],
    ["ip", "netns"],
    ["ip", "-4", "route"],
    ["nft", "list", "tables"],
  ];
  for (const [program = "", ...args] of looks) {
    const { stdout } = await runProgram(program, args);
    await writeFile(join(directory, `${[program, ...args.slice(0, 2)].join("-").replaceAll("/", "_")}.txt`), stdout);
  }
  return directory;
}

/** Errors in the server's log, by what they say and by what caused them. */
export async function readLoggedErrors(home: string): Promise<Counts> {
  const tally = new Tally();
  for (const line of (await readFile(homePaths(home).log, "utf8").catch(() => "")).split("\n")) {
    if (!line.startsWith("{")) {
      if (line.trim() !== "") tally.add("lines that are no log lines");
      continue;
    }
    const { level, msg } = JSON.parse(line) as { level?: number; msg?: string };
    if (level !== undefined && level >= ERROR) tally.add(msg ?? "");
  }
  return tally.counts;
}
