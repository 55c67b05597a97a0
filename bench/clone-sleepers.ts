import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { homePaths } from "../src/config/paths.ts";
import { ENGINE_FILES } from "../src/engine/engine.ts";
import { mustRun } from "../test/support/project.ts";

/** Copied with one program start. */
const BATCH = 100;
/** Read or removed by a wake, never written: copies share them. */
const SHARED: readonly string[] = [ENGINE_FILES.changedPages, ENGINE_FILES.devices];

export interface Sleeper {
  readonly microvmId: string;
  readonly endpoint: string;
}

/**
 * Makes copies of a sleeper below the home of a server that is down: a folder and a row each, as if every one had been
 * run and suspended by itself. They wake like any other.
 */
export async function cloneSleepers(home: string, microvmId: string, count: number): Promise<Sleeper[]> {
  const { microvms, database } = homePaths(home);
  const sleepers: Sleeper[] = [];
  const staging = join(microvms, "staging");
  await makeBatch(join(microvms, microvmId), staging, Math.min(BATCH, count));
  const db = new DatabaseSync(database);
  try {
    while (sleepers.length < count) {
      const ids = Array.from({ length: Math.min(BATCH, count - sleepers.length) }, () => `microvm-${randomUUID()}`);
      await copyBatch(staging, microvms, ids);
      db.exec("BEGIN");
      sleepers.push(...ids.map((id) => copyRow(db, microvmId, id)));
      db.exec("COMMIT");
    }
  } finally {
    db.close();
    await rm(staging, { recursive: true, force: true });
  }
  return sleepers;
}

/** `count` folders named by numbers. */
async function makeBatch(from: string, staging: string, count: number): Promise<void> {
  const names = await readdir(from);
  for (let index = 0; index < count; index++) {
    const to = join(staging, String(index));
    await mkdir(to, { recursive: true, mode: 0o700 });
    for (const name of SHARED) await link(join(from, name), join(to, name));
  }
  const own = names.filter((name) => name === ENGINE_FILES.upper || name.endsWith(".log"));
  for (let index = 0; index < count; index++)
    await mustRun("cp", [
      "-a",
      "--sparse=always",
      ...own.map((name) => join(from, name)),
      join(staging, String(index)),
    ]);
}

async function copyBatch(staging: string, microvms: string, ids: readonly string[]): Promise<void> {
  const copy = `${staging}.copy`;
  await mustRun("cp", ["-a", "--sparse=always", staging, copy]);
  for (const [index, id] of ids.entries()) await rename(join(copy, String(index)), join(microvms, id));
  await rm(copy, { recursive: true });
}

function copyRow(db: DatabaseSync, from: string, id: string): Sleeper {
  const row = db.prepare("SELECT * FROM microvms WHERE id = ?").get(from);
  if (row === undefined) throw new Error(`The store knows no microVM ${from}`);
  const label = randomUUID();
  const endpoint = String(row["endpoint"]).replace(String(row["endpoint_label"]), label);
  const now = Date.now();
  const copy = { ...row, id, endpoint, endpoint_label: label, started_at: now, suspended_at: now };
  const columns = Object.keys(copy);
  db.prepare(`INSERT INTO microvms (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`).run(
    ...Object.values(copy),
  );
  return { microvmId: id, endpoint };
}
