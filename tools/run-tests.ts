/**
 * Runs every test but the heavy ones (`--heavy`: those alone), or the files whose path contains the given filters, in a temporary directory of the run's own, then
 * looks for what the tests left behind. The last line is `N passed, N failed, N skipped`; leftovers count as a failure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describeLeftovers, findLeftovers, hasMountsBelow, removeLeftovers, takeStock } from "./leftovers.ts";
import { summarize, type TestReport } from "./test-summary.ts";

const root = join(import.meta.dirname, "..");

/** A short path: the tests' Unix sockets lie below it, and their paths end at 107 bytes. */
const runDirectory = mkdtempSync("/tmp/cn-");
const reportFile = `${runDirectory}.json`;

function runVitest([first, ...rest]: readonly string[]): void {
  const project = first === "--heavy" ? "heavy" : "!heavy";
  const filters = first === undefined || first === "--heavy" ? rest : [first, ...rest];
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--passWithNoTests",
    "--reporter=default",
    `--project=${project}`,
  ];
  const report = ["--reporter=json", `--outputFile.json=${reportFile}`];
  spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...args, ...report, ...filters], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, TMPDIR: runDirectory },
  });
}

function readReport(): TestReport | undefined {
  return existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, "utf8")) as TestReport) : undefined;
}

const before = takeStock();
runVitest(process.argv.slice(2));
const leftovers = await findLeftovers(runDirectory, before);
const summary = summarize(readReport());

for (const name of summary.skippedNames) console.log(`SKIPPED  ${name}`);
for (const name of summary.failedNames) console.log(`FAILED   ${name}`);
for (const line of describeLeftovers(leftovers)) console.log(`LEFT BEHIND  ${line}`);
await removeLeftovers(leftovers);
rmSync(reportFile, { force: true });
if (!hasMountsBelow(runDirectory)) rmSync(runDirectory, { recursive: true, force: true });

const failed = summary.failed + (describeLeftovers(leftovers).length > 0 ? 1 : 0);
if (summary.passed === 0 && failed === 0) console.log("No test ran: nothing was proved, so this run fails.");
console.log(`${summary.passed} passed, ${failed} failed, ${summary.skipped} skipped`);
process.exitCode = failed > 0 || summary.passed === 0 ? 1 : 0;
