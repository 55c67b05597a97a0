import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { homePaths } from "../src/config/paths.ts";
import type { BuiltImage } from "../src/build/image-builder.ts";
import { openSlotPool, type SlotPool } from "../src/network/slot-pool.ts";
import type { Cleanup } from "../src/util/cleanup.ts";
import { alternate, type Contender, type Sample } from "./alternate.ts";
import { countArgument } from "./arguments.ts";
import { prepareBareFlask, preparePython, startBare } from "./bare-process.ts";
import { CatnapUnderTest, FLASK } from "./catnap-under-test.ts";
import { containerContender } from "./container-contender.ts";
import { machineContenders } from "./machine-contenders.ts";
import { usageOf } from "./processes.ts";
import { summarize } from "./quantiles.ts";
import { publish } from "./report.ts";
import { progress, runScenario } from "./scenario.ts";
import { mib, ms, times } from "./units.ts";

const ROUNDS = countArgument(2, 10);

interface App {
  readonly directory: string;
  /** Makes ready what the app needs without any container. */
  readonly prepareBare: () => Promise<() => Promise<Sample>>;
}

const local = (name: string) => join(import.meta.dirname, "apps", name);

const APPS: Readonly<Record<string, App>> = {
  flask: { directory: FLASK, prepareBare: prepareBareFlask },
  node: {
    directory: local("node"),
    prepareBare: async () => () =>
      startBare({ directory: local("node"), command: (port) => [process.execPath, "server.mjs", String(port)] }),
  },
  heavy: {
    directory: local("heavy"),
    async prepareBare() {
      const venv = await preparePython("bench-heavy", join(local("heavy"), "requirements.txt"));
      return () =>
        startBare({
          directory: local("heavy"),
          command: (port) => [join(venv, "bin/python3"), "app.py", String(port)],
        });
    },
  },
};

/** The same app started in every way a person might choose, in turn, each time to the last byte of its first 200. */
export function alternatives(): Promise<void> {
  return runScenario(async (cleanup) => {
    const wanted = (process.argv[3] ?? Object.keys(APPS).join(",")).split(",");
    const unknown = wanted.find((name) => APPS[name] === undefined);
    if (unknown !== undefined)
      throw new Error(`No app is called ${unknown}; there are: ${Object.keys(APPS).join(", ")}`);
    const subject = await CatnapUnderTest.open(cleanup, { CATNAP_READY_TIMEOUT: "1200" });
    const slots = await openSlots(cleanup);
    const results = new Map<string, Map<string, Sample[]>>();
    for (const name of wanted) {
      progress(`${name}:`);
      results.set(name, await measure(name, { subject, slots, cleanup }));
    }
    await report(results);
  });
}

/** Networks of the machines that are not Catnap's. */
async function openSlots(cleanup: Cleanup): Promise<SlotPool> {
  const home = await mkdtemp(join(tmpdir(), "catnap-bench-slots-"));
  cleanup.add(() => rm(home, { recursive: true, force: true }));
  const slots = await openSlotPool({ home, subnet: "auto", spares: 1 });
  cleanup.add(() => slots.close());
  return slots;
}

async function measure(
  name: string,
  { subject, slots, cleanup }: { subject: CatnapUnderTest; slots: SlotPool; cleanup: Cleanup },
): Promise<Map<string, Sample[]>> {
  const app = APPS[name]!;
  const bare = await app.prepareBare();
  const arn = await subject.build(name, app.directory);
  const image = builtImage(subject.home, arn);
  const contenders: Contender[] = [
    { name: "catnap", round: () => runOnce(subject, arn) },
    { name: "bare process", round: bare },
    await containerContender(image, cleanup),
    ...(await machineContenders(image, slots, cleanup)),
  ];
  return alternate(contenders, ROUNDS);
}

async function runOnce(subject: CatnapUnderTest, arn: string): Promise<Sample> {
  const server = [await subject.serverPid()];
  const { cpuSeconds: before } = await usageOf(server);
  const begun = performance.now();
  const microvm = await subject.run(arn);
  await subject.visit(microvm);
  const took = performance.now() - begun;
  const monitor = await usageOf(await subject.monitors(microvm.microvmId));
  const cpuSeconds = monitor.cpuSeconds + (await usageOf(server)).cpuSeconds - before;
  await subject.terminate(microvm);
  return { ms: took, cpuSeconds, pssBytes: monitor.pssBytes };
}

function builtImage(home: string, arn: string): BuiltImage {
  const db = new DatabaseSync(homePaths(home).database, { readOnly: true });
  try {
    const row = db.prepare("SELECT template_json FROM image_builds WHERE image_arn = ?").get(arn);
    return JSON.parse(String(row?.["template_json"])) as BuiltImage;
  } finally {
    db.close();
  }
}

async function report(results: Map<string, Map<string, Sample[]>>): Promise<void> {
  const tables = [...results].map(([app, contenders]) => {
    const ours = summarize((contenders.get("catnap") ?? []).map((one) => one.ms)).p50;
    return [
      [`${app}: start → first 200`, "n", "p50", "p90", "p99", "÷ catnap", "CPU", "memory (PSS)"],
      ...[...contenders].map(([name, samples]) => {
        const took = summarize(samples.map((one) => one.ms));
        const middle = (pick: (sample: Sample) => number | undefined) =>
          summarize(samples.map((sample) => pick(sample) ?? Number.NaN)).p50;
        return [
          name,
          String(took.n),
          ...[took.p50, took.p90, took.p99].map(ms),
          times(took.p50 / ours),
          ms(middle((one) => (one.cpuSeconds ?? Number.NaN) * 1000)),
          mib(middle((one) => one.pssBytes)),
        ];
      }),
    ];
  });
  await publish({
    scenario: "alternatives",
    tables,
    charts: [...results].map(([app, contenders]) => ({
      title: `${app}: start to the first 200`,
      x: "",
      y: "ms",
      kind: "samples" as const,
      series: [...contenders].map(([name, samples]) => ({
        name,
        points: samples.map((one) => [0, one.ms] as const),
      })),
    })),
    data: Object.fromEntries([...results].map(([app, contenders]) => [app, Object.fromEntries(contenders)])),
  });
}
