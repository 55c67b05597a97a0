import { writeFile } from "node:fs/promises";
import { readArguments, refuseArguments } from "../support/read-arguments.ts";
import { runSoak } from "./soak.ts";
import { describeProgress, toMarkdown } from "./soak-report.ts";

const USAGE = "usage: ./dev soak [MINUTES] [--seed N] [--microvms N] [--report FILE]";

const { first, values } = readArguments(USAGE, ["seed", "microvms", "report"]);
const minutes = Number(first ?? 30);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const microvms = Number(values.microvms ?? 20);
if (!(minutes > 0) || ![seed, microvms].every((number) => Number.isSafeInteger(number) && number >= 0))
  refuseArguments(USAGE, "MINUTES is a number above 0, the others are whole numbers");

process.stdout.write(`seed ${seed}\n`);
try {
  const onProgress = (report: Parameters<typeof describeProgress>[0]) =>
    process.stdout.write(`${describeProgress(report)}\n`);
  const report = await runSoak({ minutes, seed, microvms, onProgress });
  process.stdout.write(`\n${toMarkdown(report)}\n${JSON.stringify(report.loggedErrors, null, 2)}\n`);
  process.stdout.write("everything agreed, and nothing was left\n");
  if (values.report !== undefined) {
    const at = new Date().toISOString();
    await writeFile(values.report, `${JSON.stringify({ at, ...report }, null, 2)}\n`);
    await writeFile(values.report.replace(/(\.json)?$/, ".md"), toMarkdown(report));
  }
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exit(1); // at once: what is under way against a server that is gone would try for minutes
}
