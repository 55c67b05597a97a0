import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { runProgram } from "../test/support/project.ts";
import { drawCharts, type Chart } from "./svg-chart.ts";
import { formatTable } from "./table.ts";

export interface Report {
  /** Name of the result files. */
  readonly scenario: string;
  /** The first row is the heading. */
  readonly tables: readonly (readonly (readonly string[])[])[];
  /** What the tables cannot say in a cell. */
  readonly remarks?: readonly string[];
  readonly charts: readonly Chart[];
  /** Everything measured, for whoever computes differently. */
  readonly data: unknown;
}

const RESULTS = join(import.meta.dirname, "results");

/** Prints the tables and writes results/<scenario>.json and .svg. */
export async function publish({ scenario, tables, remarks = [], charts, data }: Report): Promise<void> {
  for (const table of tables) console.log(`${formatTable(table)}\n`);
  for (const remark of remarks) console.log(remark);
  await mkdir(RESULTS, { recursive: true });
  const record = { scenario, measuredAt: new Date().toISOString(), machine: await describeMachine(), remarks, data };
  await writeFile(join(RESULTS, `${scenario}.json`), `${JSON.stringify(record, null, 2)}\n`);
  await writeFile(join(RESULTS, `${scenario}.svg`), drawCharts(charts));
  console.log(`bench/results/${scenario}.json, bench/results/${scenario}.svg`);
}

/** What the figures depend on. */
async function describeMachine(): Promise<Record<string, unknown>> {
  const { stdout: monitor } = await runProgram(
    process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64",
    ["--version"],
  );
  const { stdout: commit } = await runProgram("git", ["-C", import.meta.dirname, "rev-parse", "--short", "HEAD"]);
  const load = (await readFile("/proc/loadavg", "utf8")).split(" ").slice(0, 3).map(Number);
  return {
    processor: cpus()[0]?.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    monitor: monitor.split("\n")[0],
    commit: commit.trim(),
    loadAtTheEnd: load,
  };
}
