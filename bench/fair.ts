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

/** Of one measurement alone and one beside; both are repeated in turn, so that a host that slows down slows down both. */
const TURN_SECONDS = 6;
const TURNS = countArgument(1, 4);
/** It takes seconds of noise to be taken for a noisy neighbour, the more the less it is beyond its baseline. */
const SETTLE_SECONDS = 10;
/** Until what the neighbour had under way is through. */
const CALM_SECONDS = 1;
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
      const neighbour = await subject.run(image);
      const stop = await makeNoise(subject, neighbour, noise);
      const pids = await subject.monitors(neighbour.microvmId);
      const quiet: number[] = [];
      const noisy: number[] = [];
      let cpuSeconds = 0;
      for (let turn = 0; turn < TURNS; turn++) {
        await visitSteadily(subject, victim, SETTLE_SECONDS);
        const before = await usageOf(pids);
        noisy.push(...(await visitSteadily(subject, victim, TURN_SECONDS)));
        cpuSeconds += (await usageOf(pids)).cpuSeconds - before.cpuSeconds;
        signal(pids, "SIGSTOP");
        await visitSteadily(subject, victim, CALM_SECONDS);
        quiet.push(...(await visitSteadily(subject, victim, TURN_SECONDS)));
        signal(pids, "SIGCONT");
      }
      await subject.terminate(neighbour);
      await stop();
      measured.push({ noise, quiet, noisy, neighbourCores: cpuSeconds / (TURNS * TURN_SECONDS) });
      progress(`beside one that ${NOISES[noise]}: p99 ${ms(summarize(noisy).p99)}, alone ${ms(summarize(quiet).p99)}`);
    }
    await report(measured);
  });
}

function signal(pids: readonly number[], name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of pids) process.kill(pid, name);
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
    const seconds = TURNS * (SETTLE_SECONDS + TURN_SECONDS);
    if (noise === "network") progress(`the neighbour sent ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`);
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
      `Measured in ${TURNS} turns of ${TURN_SECONDS} s alone and ${TURN_SECONDS} s beside, each ${SETTLE_SECONDS} s after the noise began.`,
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
    data: { turns: TURNS, turnSeconds: TURN_SECONDS, paceMs: PACE_MS, measured },
  });
}
