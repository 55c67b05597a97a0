import { runLimited } from "../src/util/run-limited.ts";
import { countsArgument } from "./arguments.ts";
import { CatnapUnderTest, FLASK, type BenchMicrovm } from "./catnap-under-test.ts";
import { usageOf } from "./processes.ts";
import { summarize, type Summary } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { ms, perSecond, seconds } from "./units.ts";

const COUNTS = countsArgument(1, [1, 5, 20, 50, 100, 200]);
const ENDS_AT_ONCE = 8;

interface Storm {
  readonly count: number;
  readonly failed: number;
  readonly wallMs: number;
  readonly first: Summary;
  readonly serverCpuSeconds: number;
  /** Of the monitors until the last answer. */
  readonly monitorCpuSeconds: number;
}

/** N customers who each run a Flask microVM and ask it at the same moment. */
export function storm(): Promise<void> {
  return runScenario(async (cleanup) => {
    const subject = await CatnapUnderTest.open(cleanup);
    const image = await subject.build("storm", FLASK);
    await subject.terminate(await startOne(subject, image)); // warms up
    const storms: Storm[] = [];
    for (const count of COUNTS) {
      const measured = await measure(subject, image, count);
      storms.push(measured);
      progress(`${count} at once: ${perSecond(rateOf(measured))}, last after ${seconds(measured.wallMs)}`);
    }
    await report(storms);
  });
}

async function startOne(subject: CatnapUnderTest, image: string): Promise<BenchMicrovm> {
  const microvm = await subject.run(image);
  await subject.visit(microvm);
  return microvm;
}

async function measure(subject: CatnapUnderTest, image: string, count: number): Promise<Storm> {
  const server = [await subject.serverPid()];
  const { cpuSeconds: before } = await usageOf(server);
  const begun = performance.now();
  const took: number[] = [];
  const settled = await Promise.allSettled(
    Array.from({ length: count }, async () => {
      const microvm = await startOne(subject, image);
      took.push(performance.now() - begun);
      return microvm;
    }),
  );
  const wallMs = performance.now() - begun;
  const serverCpuSeconds = (await usageOf(server)).cpuSeconds - before;
  const monitorCpuSeconds = (await usageOf(await subject.monitors())).cpuSeconds;
  const started = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failure = settled.find((one) => one.status === "rejected");
  if (failure !== undefined) progress(`a start failed: ${String(failure.reason)}`);
  await runLimited(started, ENDS_AT_ONCE, (microvm) => subject.terminate(microvm));
  return {
    count,
    failed: count - started.length,
    wallMs,
    first: summarize(took),
    serverCpuSeconds,
    monitorCpuSeconds,
  };
}

function rateOf({ count, failed, wallMs }: Storm): number {
  return (count - failed) / (wallMs / 1000);
}

async function report(storms: readonly Storm[]): Promise<void> {
  const each = ({ count, failed }: Storm, cpuSeconds: number) => ms((cpuSeconds * 1000) / (count - failed));
  await publish({
    scenario: "storm",
    tables: [
      [
        ["at once", "to the first 200: p50", "p90", "p99", "per second", "CPU each: monitor", "server", "failed"],
        ...storms.map((one) => [
          String(one.count),
          ...[one.first.p50, one.first.p90, one.first.p99].map(ms),
          perSecond(rateOf(one)),
          each(one, one.monitorCpuSeconds),
          each(one, one.serverCpuSeconds),
          String(one.failed),
        ]),
      ],
    ],
    charts: [
      {
        title: "N starts at once: time to the first 200",
        x: "N",
        y: "ms",
        kind: "lines",
        series: (["p50", "p90", "p99"] as const).map((name) => ({
          name,
          points: storms.map(({ count, first }) => [count, first[name]] as const),
        })),
      },
      {
        title: "Starts per second",
        x: "N",
        y: "1/s",
        kind: "lines",
        series: [{ name: "catnap", points: storms.map((one) => [one.count, rateOf(one)] as const) }],
      },
    ],
    data: { storms },
  });
}
