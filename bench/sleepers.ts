import { setTimeout } from "node:timers/promises";
import { ListMicrovmsCommand } from "@aws-sdk/client-lambda-microvms";
import { countsArgument } from "./arguments.ts";
import { CatnapUnderTest, FLASK } from "./catnap-under-test.ts";
import { cloneSleepers, type Sleeper } from "./clone-sleepers.ts";
import { residentBytes, usageOf } from "./processes.ts";
import { summarize, type Summary } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { mib, ms, seconds } from "./units.ts";

const COUNTS = countsArgument(1, [10, 1_000, 10_000]);
const WAKES = 20;
const LISTS = 50;
/** Longer than any of the server's own intervals below ten minutes. */
const IDLE_SECONDS = 65;
const PAGE = 50;

interface Step {
  readonly count: number;
  readonly upMs: number;
  readonly residentBytes: number;
  /** Part of one core that the idle server takes. */
  readonly idleCpu: number;
  readonly listPage: Summary;
  readonly listAllMs: number;
  readonly wake: Summary;
  readonly suspend: Summary;
}

/** More and more sleeping Flask microVMs: what they cost the server, and whether lists and wakes stay as fast. */
export function sleepers(): Promise<void> {
  return runScenario(async (cleanup) => {
    const subject = await CatnapUnderTest.open(cleanup, { CATNAP_DOZE_SECONDS: "1" });
    const image = await subject.build("sleepers", FLASK);
    const first = await subject.run(image);
    await subject.visit(first);
    await fallAsleep(subject, first);
    const all: Sleeper[] = [first];
    const steps: Step[] = [];
    for (const count of COUNTS) {
      await subject.down();
      all.push(...(await cloneSleepers(subject.home, first.microvmId, count - all.length)));
      const step = await measure(subject, all);
      steps.push(step);
      progress(
        `${count} sleep: server ${mib(step.residentBytes)}, up in ${seconds(step.upMs)}, wake ${ms(step.wake.p50)}`,
      );
    }
    await report(steps);
  });
}

async function fallAsleep(subject: CatnapUnderTest, { microvmId }: { microvmId: string }): Promise<number> {
  const took = await subject.suspend({ microvmId });
  await subject.isOnDiskOnly(microvmId);
  return took;
}

async function measure(subject: CatnapUnderTest, all: readonly Sleeper[]): Promise<Step> {
  const begun = performance.now();
  await subject.start();
  const upMs = performance.now() - begun;
  const idleCpu = await idleCpuOf(await subject.serverPid());
  const pages: number[] = [];
  for (let index = 0; index < LISTS; index++) pages.push(await timed(() => listPage(subject)));
  const listAllMs = await timed(() => listAll(subject, all.length));
  const wakes: number[] = [];
  const suspends: number[] = [];
  for (let index = 0; index < Math.min(WAKES, all.length); index++) {
    const { microvmId, endpoint } = all[Math.floor(((index + 0.5) * all.length) / Math.min(WAKES, all.length))]!;
    wakes.push(await subject.visit({ endpoint, token: await subject.token(microvmId) }));
    suspends.push(await fallAsleep(subject, { microvmId }));
  }
  return {
    count: all.length,
    upMs,
    residentBytes: await residentBytes(await subject.serverPid()),
    idleCpu,
    listPage: summarize(pages),
    listAllMs,
    wake: summarize(wakes),
    suspend: summarize(suspends),
  };
}

async function idleCpuOf(pid: number): Promise<number> {
  await setTimeout(3_000); // what the start left to do
  const before = await usageOf([pid]);
  const begun = performance.now();
  await setTimeout(IDLE_SECONDS * 1000);
  return ((await usageOf([pid])).cpuSeconds - before.cpuSeconds) / ((performance.now() - begun) / 1000);
}

async function listPage(subject: CatnapUnderTest, nextToken?: string) {
  return subject.client.send(new ListMicrovmsCommand({ maxResults: PAGE, nextToken }));
}

async function listAll(subject: CatnapUnderTest, expected: number): Promise<void> {
  let found = 0;
  let token: string | undefined;
  do {
    const { items = [], nextToken } = await listPage(subject, token);
    found += items.length;
    token = nextToken;
  } while (token !== undefined);
  if (found !== expected) throw new Error(`${found} of ${expected} sleepers are listed`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function report(steps: readonly Step[]): Promise<void> {
  const each = (name: string, cell: (step: Step) => string) => [name, ...steps.map(cell)];
  const line = (name: string, y: (step: Step) => number) => ({
    name,
    points: steps.map((step) => [step.count, y(step)] as const),
  });
  await publish({
    scenario: "sleepers",
    tables: [
      [
        each("sleeping Flask microVMs", ({ count }) => String(count)),
        each("server's memory, resident", (step) => mib(step.residentBytes)),
        each("server's processor time when idle", ({ idleCpu }) => `${(idleCpu * 100).toFixed(2)} % of a core`),
        each("start of the server", ({ upMs }) => seconds(upMs)),
        each(
          `a page of the list (${PAGE}), p50 / p99`,
          (step) => `${ms(step.listPage.p50)} / ${ms(step.listPage.p99)}`,
        ),
        each("the whole list", ({ listAllMs }) => seconds(listAllMs)),
        each("wake from disk → 200, p50 / p99", ({ wake }) => `${ms(wake.p50)} / ${ms(wake.p99)}`),
        each("suspend → SUSPENDED, p50", ({ suspend }) => ms(suspend.p50)),
      ],
    ],
    charts: [
      {
        title: "Server beside sleeping microVMs",
        x: "sleeping",
        y: "MiB",
        kind: "lines",
        series: [line("resident memory", (step) => step.residentBytes / 2 ** 20)],
      },
      {
        title: "Lists and wakes",
        x: "sleeping",
        y: "ms",
        kind: "lines",
        series: [
          line("wake → 200, p50", ({ wake }) => wake.p50),
          line("wake → 200, p99", ({ wake }) => wake.p99),
          line(`list page of ${PAGE}, p50`, (step) => step.listPage.p50),
          line("start of the server", ({ upMs }) => upMs),
        ],
      },
    ],
    data: { steps },
  });
}
