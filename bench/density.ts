import { runLimited } from "../src/util/run-limited.ts";
import { countsArgument } from "./arguments.ts";
import { CatnapUnderTest, FLASK, type BenchMicrovm } from "./catnap-under-test.ts";
import { availableMemory, memoryInfo, usageOf } from "./processes.ts";
import { summarize, type Summary } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { mib, ms, perSecond } from "./units.ts";
import { memoryOfMonitors, type MonitorMemory } from "./vmm-memory.ts";

const COUNTS = countsArgument(1, [1, 10, 100, 400]);
/** Left for the rest of the machine, as the server does; at this limit the measurement ends with what it has. */
const KEEP_FREE_BYTES = 1.25 * 2 ** 30;
const STARTS_AT_ONCE = 4;
const VISITS = 200;

interface Step {
  readonly count: number;
  readonly startsPerSecond: number;
  readonly start: Summary;
  readonly answer: Summary;
  /** Of each microVM, mean. */
  readonly monitor: MonitorMemory;
  /** Of the kernel for all of them: page tables, sockets, namespaces, rules. */
  readonly kernelBytes: number;
  readonly serverBytes: number;
  readonly hostBytes: number;
}

/** More and more running Flask microVMs: what each costs, in parts, and how fast all of them still answer. */
export function density(): Promise<void> {
  return runScenario(async (cleanup) => {
    const subject = await CatnapUnderTest.open(cleanup, { CATNAP_PREPARED: "0" });
    const image = await subject.build("density", FLASK);
    const before = await memoryInfo();
    const running: BenchMicrovm[] = [];
    const steps: Step[] = [];
    const remarks: string[] = [];
    for (const count of COUNTS) {
      const step = await growTo(count, { subject, image, running, before });
      steps.push(step);
      progress(`${step.count} run: ${mib(step.hostBytes / step.count)} each, ${perSecond(step.startsPerSecond)}`);
      if (step.count < count) {
        remarks.push(
          `Stopped at ${step.count} of ${count}: less than ${mib(KEEP_FREE_BYTES)} of memory would be free.`,
        );
        break;
      }
    }
    await report(steps, remarks);
  });
}

interface Ground {
  readonly subject: CatnapUnderTest;
  readonly image: string;
  readonly running: BenchMicrovm[];
  readonly before: Record<string, number>;
}

async function growTo(count: number, { subject, image, running, before }: Ground): Promise<Step> {
  const starts: number[] = [];
  const already = running.length;
  const begun = performance.now();
  await runLimited([...Array(count - already).keys()], STARTS_AT_ONCE, async () => {
    if ((await availableMemory()) < KEEP_FREE_BYTES) return;
    const at = performance.now();
    const microvm = await subject.run(image);
    await subject.visit(microvm);
    starts.push(performance.now() - at);
    running.push(microvm);
    if (running.length % 50 === 0) progress(`${running.length} run`);
  });
  const startsPerSecond = starts.length / ((performance.now() - begun) / 1000);
  const answers: number[] = [];
  for (let visit = 0; visit < VISITS; visit++)
    answers.push(await subject.visit(running[Math.floor(Math.random() * running.length)]!));
  const now = await memoryInfo();
  const grown = (...names: string[]) => names.reduce((sum, name) => sum + (now[name] ?? 0) - (before[name] ?? 0), 0);
  return {
    count: running.length,
    startsPerSecond,
    start: summarize(starts),
    answer: summarize(answers),
    monitor: await memoryOfMonitors(await subject.monitors()),
    kernelBytes: grown("Slab", "KernelStack", "PageTables", "Percpu"),
    serverBytes: (await usageOf([await subject.serverPid()])).pssBytes,
    hostBytes: (before["MemAvailable"] ?? 0) - (now["MemAvailable"] ?? 0),
  };
}

/** Without what it shares with others. */
function ownBytes({ guestOwn, translation, heap, pageTables }: MonitorMemory): number {
  return guestOwn + translation + heap + pageTables;
}

async function report(steps: readonly Step[], remarks: readonly string[]): Promise<void> {
  const each = (name: string, cell: (step: Step) => string) => [name, ...steps.map(cell)];
  const heading = each("running Flask microVMs", ({ count }) => String(count));
  const tables = [
    [
      heading,
      each("starts", ({ startsPerSecond }) => perSecond(startsPerSecond)),
      each("start → 200, p50 / p99", ({ start }) => `${ms(start.p50)} / ${ms(start.p99)}`),
      each("request, p50 / p99", ({ answer }) => `${ms(answer.p50)} / ${ms(answer.p99)}`),
    ],
    [
      each("of the host, each", ({ hostBytes, count }) => mib(hostBytes / count)),
      each("of a monitor alone, parts below", ({ monitor }) => mib(ownBytes(monitor))),
      each("guest pages of its own", ({ monitor }) => mib(monitor.guestOwn)),
      each("its share of the template's", ({ monitor }) => mib(monitor.guestShared)),
      each("translated code", ({ monitor }) => mib(monitor.translation)),
      each("monitor's heap and stacks", ({ monitor }) => mib(monitor.heap)),
      each("monitor's program and libraries", ({ monitor }) => mib(monitor.files)),
      each("page tables", ({ monitor }) => mib(monitor.pageTables)),
      each("kernel, all included", ({ kernelBytes, count }) => mib(kernelBytes / count)),
      each("server, whole", ({ serverBytes }) => mib(serverBytes)),
    ],
  ];
  const line = (name: string, y: (step: Step) => number) => ({
    name,
    points: steps.map((step) => [step.count, y(step)] as const),
  });
  await publish({
    scenario: "density",
    tables,
    remarks,
    data: { steps },
    charts: [
      {
        title: "Memory of a running Flask microVM",
        x: "running",
        y: "MiB",
        kind: "lines",
        series: [
          line("of the host", ({ hostBytes, count }) => hostBytes / count / 2 ** 20),
          line("guest pages of its own", ({ monitor }) => monitor.guestOwn / 2 ** 20),
          line("translated code", ({ monitor }) => monitor.translation / 2 ** 20),
          line("monitor's heap", ({ monitor }) => monitor.heap / 2 ** 20),
        ],
      },
      {
        title: "A request to one of them",
        x: "running",
        y: "ms",
        kind: "lines",
        series: [line("p50", ({ answer }) => answer.p50), line("p99", ({ answer }) => answer.p99)],
      },
    ],
  });
}
