import { setTimeout } from "node:timers/promises";
import { ListMicrovmsCommand } from "@aws-sdk/client-lambda-microvms";
import { Broken } from "../counted/counted-microvm.ts";
import { persist } from "../counted/persist.ts";
import { CATNAP, runProgram } from "../support/project.ts";
import { echoThrough, execInMicrovm, typeInShell } from "./exec-in-microvm.ts";
import { breakSleeper, endApp, ignoreSuspendHook, killDozer, spoilHint } from "./self-inflicted.ts";
import type { Tenancy } from "./soak-world.ts";

interface Operation {
  readonly name: string;
  readonly weight: number;
  /** Only the image that behaves badly can. */
  readonly needsIll?: boolean;
  readonly run: (tenant: Tenancy) => Promise<void>;
}

const OPERATIONS: readonly Operation[] = [
  { name: "requests", weight: 24, run: askSome },
  { name: "suspend, wake by a request while it dozes", weight: 10, run: (tenant) => sleep(tenant, 0) },
  { name: "suspend, wake by a request from disk", weight: 14, run: (tenant) => sleep(tenant, 3_000) },
  { name: "suspend, resume by the API", weight: 8, run: sleepAndResume },
  { name: "suspend under way when a request comes", weight: 6, run: askWhileFallingAsleep },
  { name: "client that hangs up", weight: 6, run: hangUp },
  { name: "list", weight: 3, run: list },
  { name: "command in the microVM over WebSocket", weight: 5, run: exec },
  { name: "line typed in a shell over WebSocket", weight: 3, run: typeLine },
  { name: "catnap exec", weight: 1, run: execByCommand },
  { name: "WebSocket to the app", weight: 5, needsIll: true, run: echo },
  { name: "long stream", weight: 4, needsIll: true, run: (tenant) => stream(tenant, false) },
  { name: "long stream, cut by a suspend", weight: 4, needsIll: true, run: (tenant) => stream(tenant, true) },
  { name: "answers that are garbage", weight: 4, needsIll: true, run: askForGarbage },
  { name: "flood of log lines", weight: 3, needsIll: true, run: flood },
  { name: "sleeper's hint file spoilt", weight: 2, run: spoilHint },
  { name: "sleeper's snapshot damaged", weight: 3, run: breakSleeper },
  { name: "dozing machine killed", weight: 6, run: killDozer },
  { name: "suspend hook ignored", weight: 1, needsIll: true, run: ignoreSuspendHook },
  { name: "app that ends", weight: 1, needsIll: true, run: endApp },
  { name: "terminate", weight: 4, run: terminate },
];

export function chooseOperation({ isIll, random }: Tenancy): Operation {
  const possible = OPERATIONS.filter(({ needsIll = false }) => isIll || !needsIll);
  let left = random.next() * possible.reduce((sum, { weight }) => sum + weight, 0);
  return possible.find(({ weight }) => (left -= weight) < 0) ?? (possible[0] as Operation);
}

async function askSome({ microvm, random }: Tenancy): Promise<void> {
  for (let left = random.integer(1, 4); left > 0; left--) await microvm.ask();
}

async function sleep({ microvm, random, world: { underWay } }: Tenancy, pauseMs: number): Promise<void> {
  await underWay.during("suspend", () => microvm.suspend());
  await setTimeout(random.next() * pauseMs);
  await underWay.during("resume", () => microvm.ask());
}

async function sleepAndResume({ microvm, random, world: { underWay } }: Tenancy): Promise<void> {
  await underWay.during("suspend", () => microvm.suspend());
  await setTimeout(random.next() * 2_000);
  await underWay.during("resume", async () => {
    await microvm.resume();
    await microvm.ask();
  });
}

async function askWhileFallingAsleep({ microvm, random, world: { underWay } }: Tenancy): Promise<void> {
  const falling = underWay.during("suspend", () => microvm.suspendOnce().catch(() => {})); // refused while it wakes
  await setTimeout(random.next() * 300);
  await underWay.during("resume", () => microvm.ask());
  await falling;
}

async function hangUp({ microvm, random }: Tenancy): Promise<void> {
  for (let left = random.integer(1, 3); left > 0; left--) await microvm.hangUp(random.integer(1, 60));
  await microvm.ask();
}

async function list({ microvm, world: { client } }: Tenancy): Promise<void> {
  const states: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const page = await persist(() => client().send(new ListMicrovmsCommand({ maxResults: 50, nextToken })));
    states.push(
      ...(page.items ?? []).filter(({ microvmId }) => microvmId === microvm.microvmId).map(({ state }) => state),
    );
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  if (states.length !== 1) throw new Broken(`${microvm.microvmId} is listed ${states.length} times`);
}

async function exec({ microvm, random, shell }: Tenancy): Promise<void> {
  const number = random.integer(1, 1000);
  const got = await execInMicrovm(microvm, [...shell, "-c", `echo $((${number} * 2)); exit 5`]);
  if (got !== `${number * 2} 5`) throw new Broken(`a command in ${microvm.microvmId} gave ${got}`);
}

async function typeLine({ microvm, random }: Tenancy): Promise<void> {
  const number = random.integer(1, 1000);
  await typeInShell(microvm, `echo $((${number} * 2))x`, new RegExp(`${number * 2}x`));
}

async function execByCommand({ microvm, shell, world }: Tenancy): Promise<void> {
  const args = ["exec", microvm.microvmId, "--", ...shell, "-c", "read line; printf %s $line; exit 7"];
  const { code, stdout, stderr } = await runProgram(CATNAP, args, {
    env: { CATNAP_HOME: world.server.home },
    input: "typed\n",
  });
  if (code !== 7) throw new Error(`catnap exec ended with ${code}: ${stderr}`);
  if (stdout !== "typed") throw new Broken(`catnap exec in ${microvm.microvmId} printed ${stdout}`);
}

async function echo({ microvm, random }: Tenancy): Promise<void> {
  await echoThrough(
    microvm,
    Array.from({ length: 6 }, () => String(random.next())),
  );
}

/** What comes is what was sent, in order, however it ends. */
async function stream({ microvm, random, world: { underWay } }: Tenancy, isCut: boolean): Promise<void> {
  const end = new AbortController();
  let text = "";
  const streamed = microvm
    .send({ path: "/stream", signal: end.signal, onText: (more) => (text += more) })
    .catch(() => {});
  try {
    for (let left = random.integer(1, 5); left > 0; left--) {
      await setTimeout(random.next() * 600);
      await microvm.ask();
    }
    if (isCut) await underWay.during("suspend", () => microvm.suspend());
  } finally {
    end.abort();
    await streamed;
  }
  const lines = text.split("\n").slice(0, -1);
  if (!lines.every((line, number) => line === String(number)))
    throw new Broken(`a stream of ${microvm.microvmId} came as ${JSON.stringify(text.slice(0, 200))}`);
  await underWay.during("resume", () => microvm.ask());
}

async function askForGarbage({ microvm }: Tenancy): Promise<void> {
  const answer = await microvm.send({ path: "/", port: 8081 }).catch((cause: Error) => cause);
  if (!(answer instanceof Error)) throw new Broken(`garbage of ${microvm.microvmId} passed as an answer`);
  await microvm.ask();
}

async function flood({ microvm, random }: Tenancy): Promise<void> {
  await microvm.send({ path: "/flood", body: String(random.integer(1_000, 40_000)) });
  await microvm.ask();
}

async function terminate(tenant: Tenancy): Promise<void> {
  tenant.fate.deal("terminated");
  await tenant.world.underWay.during("terminate", async () => {
    await tenant.microvm.terminate();
    await tenant.mourn();
  });
}
