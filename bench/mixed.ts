import { setTimeout } from "node:timers/promises";
import { countArgument } from "./arguments.ts";
import { CatnapUnderTest, FLASK } from "./catnap-under-test.ts";
import { cloneSleepers, type Sleeper } from "./clone-sleepers.ts";
import { usageOf } from "./processes.ts";
import { summarize } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { ms } from "./units.ts";

const SLEEPERS = countArgument(1, 200);
const SECONDS = countArgument(2, 60);
const ARRIVALS_PER_SECOND = 2;
/** Stands in for the idle policy, whose shortest time is a minute. */
const AWAKE_MS = 4_000;
const DOZE_SECONDS = 6;

/** How deep one slept when its visitor came. */
type Depth = "awake" | "dozing" | "on disk";

interface Visit {
  readonly depth: Depth;
  readonly atMs: number;
  readonly ms: number;
}

interface Visited extends Sleeper {
  readonly token: string;
  visits: number;
  lastAnswer: number;
  suspendedAt: number;
  isAwake: boolean;
}

/** Visitors at random moments, a few microVMs popular and most hardly ever visited: time to the answer. */
export function mixed(): Promise<void> {
  return runScenario(async (cleanup) => {
    const subject = await CatnapUnderTest.open(cleanup, { CATNAP_DOZE_SECONDS: String(DOZE_SECONDS) });
    const all = await prepare(subject);
    const server = [await subject.serverPid()];
    const { cpuSeconds: before } = await usageOf(server);
    const visits: Visit[] = [];
    const begun = performance.now();
    const under: Promise<void>[] = [];
    let isOver = false;
    const lullaby = putToSleep(subject, all, () => isOver);
    for (;;) {
      // Poisson arrivals: exponential gaps.
      await setTimeout((-Math.log(1 - Math.random()) / ARRIVALS_PER_SECOND) * 1000);
      const atMs = performance.now() - begun;
      if (atMs > SECONDS * 1000) break;
      under.push(visit(subject, pick(all)).then((one) => void visits.push({ ...one, atMs })));
    }
    await Promise.all(under);
    isOver = true;
    await lullaby;
    const serverCores = ((await usageOf(server)).cpuSeconds - before) / SECONDS;
    progress(`${visits.length} visits, the server took ${(serverCores * 100).toFixed(1)} % of a core`);
    await report(visits, serverCores);
  });
}

async function prepare(subject: CatnapUnderTest): Promise<Visited[]> {
  const first = await subject.run(await subject.build("mixed", FLASK));
  await subject.visit(first);
  await subject.suspend(first);
  await subject.isOnDiskOnly(first.microvmId);
  await subject.down();
  const sleepers: Sleeper[] = [first, ...(await cloneSleepers(subject.home, first.microvmId, SLEEPERS - 1))];
  await subject.start();
  const visited: Visited[] = [];
  for (const { microvmId, endpoint } of sleepers)
    visited.push({
      microvmId,
      endpoint,
      token: await subject.token(microvmId),
      visits: 0,
      lastAnswer: 0,
      suspendedAt: 0,
      isAwake: false,
    });
  return visited;
}

/** The nth is visited about 1/n as often as the first. */
function pick(all: readonly Visited[]): Visited {
  return all[Math.floor(all.length ** Math.random()) - 1] ?? all[0]!;
}

async function visit(subject: CatnapUnderTest, microvm: Visited): Promise<Omit<Visit, "atMs">> {
  const isDozing = performance.now() - microvm.suspendedAt < DOZE_SECONDS * 1000 && microvm.suspendedAt > 0;
  const depth = microvm.isAwake ? "awake" : isDozing ? "dozing" : "on disk";
  microvm.isAwake = true;
  microvm.visits += 1;
  try {
    return { depth, ms: await subject.visit(microvm) };
  } finally {
    microvm.visits -= 1;
    microvm.lastAnswer = performance.now();
  }
}

/** Suspends whoever had no visitor for a while. */
async function putToSleep(subject: CatnapUnderTest, all: readonly Visited[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const idle = all.filter((one) => one.isAwake && one.visits === 0 && performance.now() - one.lastAnswer > AWAKE_MS);
    for (const microvm of idle) {
      microvm.isAwake = false;
      microvm.suspendedAt = performance.now();
      await subject.suspend(microvm).catch(() => (microvm.isAwake = true)); // a visitor came first
    }
    await setTimeout(100);
  }
}

async function report(visits: readonly Visit[], serverCores: number): Promise<void> {
  const depths = ["awake", "dozing", "on disk"] as const;
  const of = (depth: Depth) => visits.filter((one) => one.depth === depth).map((one) => one.ms);
  const row = (name: string, values: readonly number[]) => {
    const { n, p50, p90, p99, max } = summarize(values);
    return [name, String(n), ...[p50, p90, p99, max].map((value) => (n === 0 ? "" : ms(value)))];
  };
  await publish({
    scenario: "mixed",
    tables: [
      [
        [`${SLEEPERS} sleepers, ${ARRIVALS_PER_SECOND} visitors/s`, "n", "p50", "p90", "p99", "max"],
        row(
          "all",
          visits.map((one) => one.ms),
        ),
        ...depths.map((depth) => row(depth, of(depth))),
      ],
    ],
    charts: [
      {
        title: `Time to the answer, ${SLEEPERS} sleepers, ${ARRIVALS_PER_SECOND} visitors a second`,
        x: "",
        y: "ms",
        kind: "samples",
        series: depths.map((name) => ({ name, points: of(name).map((value) => [0, value] as const) })),
      },
    ],
    data: { sleepers: SLEEPERS, seconds: SECONDS, arrivalsPerSecond: ARRIVALS_PER_SECOND, serverCores, visits },
  });
}
