import { setTimeout } from "node:timers/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { useDirectory } from "../support/api-endpoint.ts";
import { openClients } from "../support/api-clients.ts";
import { openControlPlane } from "../support/control-plane.ts";
import { MemoryHost } from "../support/memory-host.ts";
import { coreFlow, type Answer, type Caller } from "./core-flow.ts";

const PATIENCE_MS = 30_000;
const POLL_MS = 5;

/** Runs the flow and gives back what was answered, with names in place of what differs from run to run. */
async function answersOf({ isRestarting }: { isRestarting: boolean }): Promise<string[]> {
  const home = join(await useDirectory(), "home");
  const host = new MemoryHost();
  const open = async () => {
    const plane = await openControlPlane({ home, host });
    return { plane, clients: openClients(plane) };
  };
  let at = await open();
  const close = async () => {
    at.clients.destroy();
    await at.plane.stop();
  };
  onTestFinished(close);
  const attempt = (make: Parameters<Caller["call"]>[1]): Promise<Answer> =>
    make(at).catch((error: Error) => ({ ...error, error: error.name, message: error.message }));
  const restart = async () => {
    await close();
    at = await open();
  };
  const answers: string[] = [];
  const names = new Map<string, string>();
  await coreFlow({
    async call(what, make) {
      if (isRestarting) await restart();
      const answer = await attempt(make);
      answers.push(`${what}: ${normalize(answer, names)}`);
      return answer;
    },
    async until(what, make, isDone) {
      if (isRestarting) await restart();
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const answer = await attempt(make);
        if (isDone(answer) || Date.now() > deadline) {
          answers.push(`${what}: ${normalize(answer, names)}`);
          return answer;
        }
        await setTimeout(POLL_MS);
      }
    },
  });
  return answers;
}

const UNIQUE = [
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
  /\b(?:AKIA|ASIA|AROA)[A-Z0-9]{8,}\b/g,
  /\b\d{4}-\d\d-\d\dT[\d:.]+Z\b/g,
] as const;
const SECRET_MEMBERS = [
  "SecretAccessKey",
  "SessionToken",
  "nextToken",
  "NextMarker",
  "UploadId",
  "X-aws-proxy-auth",
  "requestId",
];

/** Each id gets a number when it is first seen, so that which one an answer names still counts; times do not. */
function normalize(answer: Answer, names: Map<string, string>): string {
  const { $metadata, $response: _, ...members } = answer ?? {};
  const text = JSON.stringify({ status: $metadata?.httpStatusCode, ...members }, (name, value: unknown) =>
    SECRET_MEMBERS.includes(name) && typeof value === "string" ? `<${name}>` : value,
  );
  const [uuids, keys, times] = UNIQUE;
  const named = (found: string) => {
    if (!names.has(found)) names.set(found, `<id ${names.size + 1}>`);
    return names.get(found) ?? "";
  };
  return text.replaceAll(times, "<time>").replaceAll(uuids, named).replaceAll(keys, named);
}

test("a restart of the server between any two calls changes no answer", { timeout: 120_000 }, async () => {
  const straight = await answersOf({ isRestarting: false });
  const restarted = await answersOf({ isRestarting: true });
  expect(restarted).toEqual(straight);
  expect(straight.length).toBeGreaterThan(60);
});
