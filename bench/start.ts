import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../test/support/project.ts";
import { alternate, type Contender, type Sample } from "./alternate.ts";
import { countArgument } from "./arguments.ts";
import { prepareBareFlask } from "./bare-process.ts";
import { CatnapUnderTest, FLASK } from "./catnap-under-test.ts";
import { usageOf } from "./processes.ts";
import { summarize } from "./quantiles.ts";
import { publish } from "./report.ts";
import { runScenario } from "./scenario.ts";
import { mib, ms, seconds, times } from "./units.ts";

/** Rounds counted, after one that is not. */
const ROUNDS = countArgument(1, 10);
const DOZE_SECONDS = 2;

/** Phases of one life, and what the service takes for them (published measurements on hardware). */
const PHASES = {
  run: { name: "run → first 200", service: "1850 ms" },
  warm: { name: "warm request", service: "" },
  suspend: { name: "suspend → SUSPENDED", service: "1000–1400 ms" },
  wakeDozing: { name: "wake → 200, dozing", service: "650–1600 ms" },
  wakeDisk: { name: "wake → 200, from disk", service: "650–1600 ms" },
  wakeDiskCold: { name: "wake → 200, page cache cold", service: "650–1600 ms" },
} as const;

type Phase = keyof typeof PHASES;
type Life = Record<Phase, number> & { readonly sleeperBytes: number };

/** One Flask microVM after another through its whole life, each time to the client's last byte of a 200; the same app as a bare process in between. */
export function start(): Promise<void> {
  return runScenario(async (cleanup) => {
    const bare = await prepareBareFlask();
    const subject = await CatnapUnderTest.open(cleanup, { CATNAP_DOZE_SECONDS: String(DOZE_SECONDS) });
    const builds = await measureBuilds(subject);
    const lives: Life[] = [];
    const catnap: Contender = {
      name: "catnap",
      async round() {
        const { life, sample } = await live(subject, builds.image);
        lives.push(life);
        return sample;
      },
    };
    const samples = await alternate([catnap, { name: "bare process", round: bare }], ROUNDS);
    await report(lives.slice(1), samples, builds);
  });
}

interface Builds {
  readonly image: string;
  readonly firstMs: number;
  readonly rebuildMs: number;
}

async function measureBuilds(subject: CatnapUnderTest): Promise<Builds> {
  const begun = performance.now();
  const image = await subject.build("bench", FLASK);
  const firstMs = performance.now() - begun;
  const app = await readFile(join(FLASK, "app.py"), "utf8");
  const again = performance.now();
  await subject.build("bench-again", FLASK, { "app.py": `${app}# changed\n` });
  return { image, firstMs, rebuildMs: performance.now() - again };
}

async function live(subject: CatnapUnderTest, image: string): Promise<{ life: Life; sample: Sample }> {
  const server = await subject.serverPid();
  const { cpuSeconds: serverBefore } = await usageOf([server]);
  const begun = performance.now();
  const microvm = await subject.run(image);
  await subject.visit(microvm);
  const run = performance.now() - begun;
  const monitor = await usageOf(await subject.monitors(microvm.microvmId));
  const cpuSeconds = monitor.cpuSeconds + (await usageOf([server])).cpuSeconds - serverBefore;
  for (let index = 0; index < 4; index++) await subject.visit(microvm);
  const warm = await subject.visit(microvm);
  const suspend = await subject.suspend(microvm);
  const sleeperBytes = await allocatedBytes(subject.directoryOf(microvm.microvmId));
  const wakeDozing = await subject.visit(microvm);
  const fallAsleep = async () => {
    await subject.suspend(microvm);
    await subject.isOnDiskOnly(microvm.microvmId);
  };
  await fallAsleep();
  const wakeDisk = await subject.visit(microvm);
  await fallAsleep();
  await mustRun("sh", ["-c", "sync; echo 1 > /proc/sys/vm/drop_caches"]);
  const wakeDiskCold = await subject.visit(microvm);
  await subject.terminate(microvm);
  return {
    life: { run, warm, suspend, sleeperBytes, wakeDozing, wakeDisk, wakeDiskCold },
    sample: { ms: run, cpuSeconds, pssBytes: monitor.pssBytes },
  };
}

/** Files come and go while it looks. */
async function allocatedBytes(directory: string): Promise<number> {
  const blocks = (name: string) =>
    stat(join(directory, name)).then(
      (found) => found.blocks,
      () => 0,
    );
  const counts = await Promise.all((await readdir(directory)).map(blocks));
  return counts.reduce((sum, count) => sum + count * 512, 0);
}

async function report(lives: readonly Life[], samples: Map<string, Sample[]>, builds: Builds): Promise<void> {
  const of = (phase: keyof Life) => summarize(lives.map((life) => life[phase]));
  const row = (name: string, values: readonly number[], service: string) => {
    const { p50, p90, p99 } = summarize(values);
    return [name, ms(p50), ms(p90), ms(p99), service];
  };
  const phases = Object.entries(PHASES) as [Phase, (typeof PHASES)[Phase]][];
  const bare = samples.get("bare process") ?? [];
  const bareMs = bare.map((sample) => sample.ms);
  const middle = (values: readonly (number | undefined)[]) => summarize(values.map((value) => value ?? Number.NaN)).p50;
  await publish({
    scenario: "start",
    tables: [
      [
        [`Flask microVM, n = ${lives.length}`, "p50", "p90", "p99", "the service, p50"],
        ...phases.map(([phase, { name, service }]) =>
          row(
            name,
            lives.map((life) => life[phase]),
            service,
          ),
        ),
        row("same app, bare process → 200", bareMs, ""),
        ["disk of a sleeper", mib(of("sleeperBytes").p50), mib(of("sleeperBytes").p90), "", "672 MB"],
        ["build, nothing cached", seconds(builds.firstMs), "", "", "115–217 s"],
        ["rebuild, base cached", seconds(builds.rebuildMs), "", "", "115–217 s"],
      ],
      [
        ["to the first 200, p50", "wall", "÷ bare process", "CPU", "memory (PSS)"],
        ...[...samples].map(([name, each]) => [
          name,
          ms(middle(each.map((one) => one.ms))),
          times(middle(each.map((one) => one.ms)) / middle(bareMs)),
          ms(middle(each.map((one) => (one.cpuSeconds ?? Number.NaN) * 1000))),
          mib(middle(each.map((one) => one.pssBytes))),
        ]),
      ],
    ],
    charts: [
      {
        title: "Flask microVM, each round",
        x: "",
        y: "ms",
        kind: "samples",
        series: [
          ...phases.map(([phase, { name }]) => ({ name, points: lives.map((life) => [0, life[phase]] as const) })),
          { name: "bare process → 200", points: bareMs.map((value) => [0, value] as const) },
        ],
      },
    ],
    data: {
      builds,
      phases: Object.fromEntries(phases.map(([phase]) => [phase, of(phase)])),
      lives,
      starts: Object.fromEntries(samples),
    },
  });
}
