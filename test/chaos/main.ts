import { writeFile } from "node:fs/promises";
import { readArguments, refuseArguments } from "../support/read-arguments.ts";
import { runChaos, type ChaosReport } from "./chaos.ts";

const USAGE =
  "usage: ./dev chaos [CYCLES] [--seed N] [--microvms N] [--pause SECONDS] [--report FILE]; Ctrl-C ends it with its report";

const { first, values } = readArguments(USAGE, ["seed", "microvms", "pause", "report"]);
const cycles = Number(first ?? 100);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const microvms = Number(values.microvms ?? 4);
const meanPauseSeconds = Number(values.pause ?? 4);
if (![cycles, seed, microvms, meanPauseSeconds].every((number) => Number.isSafeInteger(number) && number >= 0))
  refuseArguments(USAGE, "Counts are whole numbers");

const line = (report: ChaosReport) =>
  `${report.cycles} of ${cycles} cycles, ${report.requests} requests, killed: server ${report.serverKills}, dozing machines ${report.dozerKills}, any machine ${report.machineKills} (${report.endedAsTold} of which ended a running microVM, as they must); ${report.seconds} s`;

process.stdout.write(`seed ${seed}\n`);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
const onProgress = (now: ChaosReport) => process.stdout.write(`${line(now)}\n`);
const report = await runChaos({ cycles, seed, microvms, meanPauseSeconds, signal: stop.signal, onProgress });
process.stdout.write(`nothing was lost: ${line(report)}\n`);
if (values.report !== undefined)
  await writeFile(values.report, `${JSON.stringify({ at: new Date().toISOString(), ...report }, null, 2)}\n`);
