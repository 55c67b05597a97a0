import { readdir, readFile } from "node:fs/promises";
import { sql } from "kysely";
import { STATE_REASONS } from "../../src/lifecycle/state-reasons.ts";
import type { UsageRow } from "../../src/store/usage-store.ts";
import type { ControlPlane } from "../support/control-plane.ts";

const MICROVM_ID = /microvm-[0-9a-f-]{36}/;

/** Columns that time alone moves on, whatever is asked. */
const COUNTED_BY_TIME: ReadonlySet<string> = new Set([
  "metered_until",
  "cpu_seconds",
  "running_seconds",
  "above_vcpu_seconds",
  "above_gb_seconds",
] satisfies (keyof UsageRow)[]);

type Tables = Readonly<Record<string, readonly string[]>>;

/** Tells whether rows changed; reading all of them is left for when the database says that something was written. */
export class StateWatch {
  readonly #plane: ControlPlane;
  #writes = -1;
  #rows: Tables = {};

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  /** What is there now is as it should be, once `settled` has resolved; it is not called when nothing was written. */
  async accept(settled: () => Promise<void> = async () => {}): Promise<void> {
    if ((await this.#countWrites()) === this.#writes) return;
    await settled();
    this.#writes = await this.#countWrites();
    this.#rows = await readTables(this.#plane);
  }

  /** What has changed since, by other than the time; rolled back transactions leave no difference. */
  async differences(): Promise<string[]> {
    const writes = await this.#countWrites();
    if (writes === this.#writes) return [];
    const now = await readTables(this.#plane);
    this.#writes = writes;
    const changed = Object.keys(now).flatMap((table) => compare(table, this.#rows[table] ?? [], now[table] ?? []));
    const outlived = changed
      .filter((row) => row.includes(STATE_REASONS.lifetime))
      .map((row) => MICROVM_ID.exec(row)?.[0]);
    return changed.filter((row) => !outlived.includes(MICROVM_ID.exec(row)?.[0]));
  }

  async #countWrites(): Promise<number> {
    const { rows } = await sql<{ writes: number }>`SELECT total_changes() AS writes`.execute(this.#plane.store.db);
    return rows[0]?.writes ?? 0;
  }
}

async function readTables({ store: { db } }: ControlPlane): Promise<Tables> {
  const names = await sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`.execute(db);
  const tables = names.rows.map(async ({ name }) => {
    const { rows } = await sql`SELECT * FROM ${sql.table(name)}`.execute(db);
    return [name, rows.map((row) => JSON.stringify(row, withoutCounts)).toSorted()] as const;
  });
  return Object.fromEntries(await Promise.all(tables));
}

function withoutCounts(column: string, value: unknown): unknown {
  return COUNTED_BY_TIME.has(column) ? undefined : value;
}

function compare(table: string, before: readonly string[], after: readonly string[]): string[] {
  const [old, fresh] = [new Set(before), new Set(after)];
  return [
    ...before.filter((row) => !fresh.has(row)).map((row) => `${table}: gone: ${row}`),
    ...after.filter((row) => !old.has(row)).map((row) => `${table}: new: ${row}`),
  ];
}

/** Files of objects, images and microVMs that no row speaks of. */
export async function strayFiles({ paths, store: { db } }: ControlPlane): Promise<string[]> {
  const [objects, parts, builds, microvms] = await Promise.all([
    db.selectFrom("s3_objects").select("file").execute(),
    db.selectFrom("s3_parts").select("file").execute(),
    db.selectFrom("image_builds").select("build_id").execute(),
    db.selectFrom("microvms").select("id").execute(),
  ]);
  const known = new Set([
    ...[...objects, ...parts].map(({ file }) => file),
    ...builds.map(({ build_id }) => build_id),
    ...microvms.map(({ id }) => id),
  ]);
  const names = await Promise.all(
    [paths.objects, paths.images, paths.microvms].map((directory) => readdir(directory).catch(() => [])),
  );
  return names.flat().filter((name) => !known.has(name));
}

/** Which of these texts the log or the audit trail holds. */
export async function leakedSecrets({ paths }: ControlPlane, secrets: Iterable<string>): Promise<string[]> {
  const files = await Promise.all([paths.log, paths.auditLog].map((file) => readFile(file, "latin1")));
  return [...secrets].filter((secret) => files.some((text) => text.includes(secret)));
}
