import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { countArgument } from "./arguments.ts";
import { CatnapUnderTest, type BenchMicrovm } from "./catnap-under-test.ts";
import { downloadEndlessly } from "./endless-download.ts";
import { usageOf } from "./processes.ts";
import { summarize } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { ms, times } from "./units.ts";

/** Of each measurement. */
const SECONDS = countArgument(1, 15);
/** It takes seconds of noise to be taken for a noisy neighbour; the noise is measured from then on. */
const SETTLE_SECONDS = 6;
/** Requests start this far apart, whether the last one was answered or not. */
const PACE_MS = 100;
/** Whatever the neighbour does, a request's p99 should not grow beyond this factor. */
const GOAL = 2;

const NOISES = { cpu: "spins on all its vCPUs", disk: "floods its disk", network: "floods its network" } as const;
type Noise = keyof typeof NOISES;

interface Measured {
  readonly noise: Noise;
  readonly quiet: readonly number[];
  readonly noisy: readonly number[];
  /** Of the neighbour's monitor while it was measured, in cores. */
  readonly neighbourCores: number;
}

/** One microVM that answers ten requests a second, alone and beside one that takes all it can get. */
export function fair(): Promise<void> {
  return runScenario(async (cleanup) => {
    const subject = await CatnapUnderTest.open(cleanup);
    const image = await subject.build("noisy", join(import.meta.dirname, "apps/noisy"));
    const victim = await subject.run(image);
    await visitSteadily(subject, victim, 2); // warms up
    const measured: Measured[] = [];
    for (const noise of Object.keys(NOISES) as Noise[]) {
      const quiet = await visitSteadily(subject, victim, SECONDS);
      const neighbour = await subject.run(image);
      const stop = await makeNoise(subject, neighbour, noise);
      await visitSteadily(subject, victim, SETTLE_SECONDS);
      const pids = await subject.monitors(neighbour.microvmId);
      const before = await usageOf(pids);
      const noisy = await visitSteadily(subject, victim, SECONDS);
      const neighbourCores = ((await usageOf(pids)).cpuSeconds - before.cpuSeconds) / SECONDS;
      await subject.terminate(neighbour);
      await stop();
      measured.push({ noise, quiet, noisy, neighbourCores });
      progress(`beside one that ${NOISES[noise]}: p99 ${ms(summarize(noisy).p99)}`);
    }
    await report(measured);
  });
}

/** Milliseconds of each request; a slow answer does not thin out the requests after it. */
async function visitSteadily(subject: CatnapUnderTest, microvm: BenchMicrovm, forSeconds: number): Promise<number[]> {
  const visits: Promise<number>[] = [];
  for (let index = 0; index < (forSeconds * 1000) / PACE_MS; index++) {
    visits.push(subject.visit(microvm));
    await setTimeout(PACE_MS);
  }
  return Promise.all(visits);
}

async function makeNoise(
  subject: CatnapUnderTest,
  neighbour: BenchMicrovm,
  noise: Noise,
): Promise<() => Promise<void>> {
  await subject.visit(neighbour);
  if (noise !== "network") await subject.visit(neighbour, `/${noise}`);
  const download = noise === "network" ? downloadEndlessly(neighbour, "/network") : Promise.resolve(0);
  return async () => {
    const bytes = await download;
    if (noise === "network") progress(`the neighbour sent ${(bytes / 1e6 / SECONDS).toFixed(0)} MB/s`);
  };
}

async function report(measured: readonly Measured[]): Promise<void> {
  const worst = Math.max(...measured.map(({ quiet, noisy }) => summarize(noisy).p99 / summarize(quiet).p99));
  await publish({
    scenario: "fair",
    tables: [
      [
        ["a request beside one that …", "alone: p50", "p99", "beside: p50", "p99", "p99 ratio", "neighbour's cores"],
        ...measured.map(({ noise, quiet, noisy, neighbourCores }) => {
          const [alone, beside] = [summarize(quiet), summarize(noisy)];
          const ratio = times(beside.p99 / alone.p99);
          return [
            NOISES[noise],
            ...[alone.p50, alone.p99, beside.p50, beside.p99].map(ms),
            ratio,
            neighbourCores.toFixed(2),
          ];
        }),
      ],
    ],
    remarks: [
      `The goal is ${times(GOAL)} at most; the worst is ${times(worst)}.`,
      `Measured ${SETTLE_SECONDS} s after the noise began.`,
    ],
    charts: [
      {
        title: "A request, alone and beside a neighbour",
        x: "",
        y: "ms",
        kind: "samples",
        series: measured.flatMap(({ noise, quiet, noisy }) => [
          { name: "alone", points: quiet.map((value) => [0, value] as const) },
          { name: NOISES[noise], points: noisy.map((value) => [0, value] as const) },
        ]),
      },
    ],
    data: { seconds: SECONDS, paceMs: PACE_MS, measured },
  });
}
