import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  LambdaMicrovmsClient,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
} from "@aws-sdk/client-lambda-microvms";
import { AwsCli } from "../test/support/aws.ts";
import { newCatnapServer, type CatnapServer } from "../test/support/catnap-server.ts";
import { processesWorkingIn } from "../src/engine/qemu/process-identity.ts";
import { mustRun } from "../test/support/project.ts";
import { buildApp, imageBecomes } from "../test/support/walkthrough.ts";
import { prepareBareFlask } from "./bare-process.ts";
import { ask } from "./endpoint-client.ts";
import { summarize, type Summary } from "./quantiles.ts";
import { formatTable } from "./table.ts";

/** Rounds counted, after one that is not. */
const ROUNDS = Number(process.argv[3] ?? 10);
const DOZE_SECONDS = 2;

type Samples = Record<
  "run" | "wakeDozing" | "wakeDisk" | "wakeDiskCold" | "suspend" | "warm" | "sleeperBytes" | "bare",
  number[]
>;

/** One Flask microVM after another through its whole life, each time to the client's first byte of a 200; the same app as a bare process in between. */
export async function start(): Promise<void> {
  const bare = await prepareBareFlask();
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: String(DOZE_SECONDS) });
  try {
    await server.start();
    const aws = await AwsCli.open(server.clientEnv);
    const builds = await measureBuilds(aws).finally(() => aws.dispose());
    const samples: Samples = {
      run: [],
      wakeDozing: [],
      wakeDisk: [],
      wakeDiskCold: [],
      suspend: [],
      warm: [],
      sleeperBytes: [],
      bare: [],
    };
    for (let round = 0; round <= ROUNDS; round++) {
      const one = await measureRound(server, builds.imageArn);
      const bareMs = await bare();
      process.stderr.write(`  round ${round} of ${ROUNDS}: run → 200 in ${one.run.toFixed(0)} ms\n`);
      if (round === 0) continue;
      for (const [name, value] of Object.entries({ ...one, bare: bareMs })) samples[name as keyof Samples].push(value);
    }
    await report(samples, builds);
  } finally {
    await server.dispose();
  }
}

async function measureBuilds(aws: AwsCli): Promise<{ imageArn: string; firstMs: number; rebuildMs: number }> {
  process.stderr.write("  building the image, then again with its base cached\n");
  const begun = performance.now();
  const { imageArn, bucket } = await buildApp(aws, { app: "flask", imageName: "bench", region: "us-east-1" });
  const firstMs = performance.now() - begun;
  await aws.shell(`echo "# changed" >> app.py && zip -q app.zip app.py`);
  await aws.run("s3", "cp", "app.zip", `s3://${bucket}/app.zip`);
  const again = performance.now();
  const arn = await aws.run(
    "lambda-microvms",
    "create-microvm-image",
    "--name",
    "bench-again",
    "--code-artifact",
    `uri=s3://${bucket}/app.zip`,
    "--base-image-arn",
    "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
    "--build-role-arn",
    "arn:aws:iam::123456789012:role/MicroVMBuildRole",
    "--query",
    "imageArn",
    "--output",
    "text",
  );
  await imageBecomes(aws, arn, "CREATED");
  return { imageArn, firstMs, rebuildMs: performance.now() - again };
}

async function measureRound(
  server: CatnapServer,
  imageArn: string,
): Promise<Omit<Record<keyof Samples, number>, "bare">> {
  const env = server.clientEnv();
  const client = new LambdaMicrovmsClient({
    endpoint: env["AWS_ENDPOINT_URL"] ?? "",
    region: env["AWS_REGION"] ?? "",
    credentials: { accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "", secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "" },
  });
  try {
    const begun = performance.now();
    const { microvmId = "", endpoint = "" } = await client.send(
      new RunMicrovmCommand({
        imageIdentifier: imageArn,
        idlePolicy: { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 300 },
      }),
    );
    const { authToken } = await client.send(
      new CreateMicrovmAuthTokenCommand({
        microvmIdentifier: microvmId,
        expirationInMinutes: 30,
        allowedPorts: [{ port: 8080 }],
      }),
    );
    const token = authToken?.["X-aws-proxy-auth"] ?? "";
    const request = () => timed(() => ask(endpoint, token, env["AWS_CA_BUNDLE"] ?? ""));
    await request();
    const run = performance.now() - begun;
    for (let index = 0; index < 4; index++) await request();
    const warm = await request();
    const suspend = () =>
      timed(async () => {
        await client.send(new SuspendMicrovmCommand({ microvmIdentifier: microvmId }));
        while ((await client.send(new GetMicrovmCommand({ microvmIdentifier: microvmId }))).state !== "SUSPENDED")
          await setTimeout(1);
      });
    const suspendMs = await suspend();
    const directory = join(server.home, "microvms", microvmId);
    const sleeperBytes = await allocatedBytes(directory);
    const wakeDozing = await request();
    await suspend();
    await processGone(directory);
    const wakeDisk = await request();
    await suspend();
    await processGone(directory);
    await mustRun("sh", ["-c", "sync; echo 1 > /proc/sys/vm/drop_caches"]);
    const wakeDiskCold = await request();
    await client.send(new TerminateMicrovmCommand({ microvmIdentifier: microvmId }));
    return { run, warm, suspend: suspendMs, sleeperBytes, wakeDozing, wakeDisk, wakeDiskCold };
  } finally {
    client.destroy();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function allocatedBytes(directory: string): Promise<number> {
  const sizes = await Promise.all((await readdir(directory)).map((name) => stat(join(directory, name))));
  return sizes.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

async function processGone(directory: string): Promise<void> {
  for (;;) {
    if ((await processesWorkingIn(directory)).length === 0) return;
    await setTimeout(20);
  }
}

async function report(samples: Samples, builds: { firstMs: number; rebuildMs: number }): Promise<void> {
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const mb = (value: number) => `${(value / 1e6).toFixed(1)} MB`;
  const row = (name: string, summary: Summary, unit: (value: number) => string, service: string) => [
    name,
    unit(summary.p50),
    unit(summary.p90),
    unit(summary.min),
    unit(summary.max),
    service,
  ];
  const summaries = Object.fromEntries(
    Object.entries(samples).map(([name, values]) => [name, summarize(values)]),
  ) as Record<keyof Samples, Summary>;
  const rows = [
    ["Flask microVM", "p50", "p90", "min", "max", "the service, p50"],
    row("run → first 200", summaries.run, ms, "1850 ms"),
    row("warm request", summaries.warm, ms, ""),
    row("suspend → SUSPENDED", summaries.suspend, ms, "1000–1400 ms"),
    row("wake → 200, dozing", summaries.wakeDozing, ms, "650–1600 ms"),
    row("wake → 200, from disk", summaries.wakeDisk, ms, "650–1600 ms"),
    row("wake → 200, page cache cold", summaries.wakeDiskCold, ms, "650–1600 ms"),
    row("disk of a sleeper", summaries.sleeperBytes, mb, "672 MB"),
    row("same app, bare process → 200", summaries.bare, ms, ""),
    ["build, nothing cached", ms(builds.firstMs), "", "", "", "115–217 s"],
    ["rebuild, base cached", ms(builds.rebuildMs), "", "", "", "115–217 s"],
  ];
  process.stdout.write(
    `${formatTable(rows)}\nn = ${summaries.run.n}; run → 200 is ${(summaries.run.p50 / summaries.bare.p50).toFixed(2)} × the bare process.\n`,
  );
  const results = join(import.meta.dirname, "results");
  await mkdir(results, { recursive: true });
  await writeFile(
    join(results, "start.json"),
    `${JSON.stringify({ at: new Date().toISOString(), builds, summaries, samples }, null, 2)}\n`,
  );
}
