import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
} from "@aws-sdk/client-lambda-microvms";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { buildCounter } from "../counted/counter-image.ts";
import { askEndpoint } from "../support/ask-endpoint.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";

const SLEEPS = 20;
/** More at once than the queue of so small a server holds would wait for a place in it, not for the wake. */
const AT_ONCE = 8;
const LIMIT_MS = 120_000;

/** A microVM that counts its requests; every second one of its sleeps is deep. */
async function useCounter() {
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: "0.1" });
  onTestFinished(() => server.dispose());
  await server.start();
  const { client, caFile, imageArn } = await buildCounter(server);
  const api = client();
  onTestFinished(() => api.destroy());
  const idlePolicy = { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 300 };
  const { microvmId = "", endpoint = "" } = await api.send(
    new RunMicrovmCommand({ imageIdentifier: imageArn, idlePolicy }),
  );
  const key = { microvmIdentifier: microvmId };
  const { authToken } = await api.send(
    new CreateMicrovmAuthTokenCommand({ ...key, expirationInMinutes: 60, allowedPorts: [{ port: 8080 }] }),
  );
  const token = authToken?.["X-aws-proxy-auth"] ?? "";
  const becomes = (wanted: string) =>
    eventually(`the microVM is ${wanted}`, LIMIT_MS, async () => {
      const { state = "" } = await api.send(new GetMicrovmCommand(key));
      return state === wanted ? { done: undefined } : { saw: state };
    });
  return {
    ask: (path: string) => askEndpoint({ endpoint, token, port: 8080, path, caFile }),
    suspend: () => api.send(new SuspendMicrovmCommand(key)),
    becomes,
    machines: () => processesWorkingIn(join(server.home, "microvms", microvmId)),
  };
}

test("a microVM that is put to sleep again and again answers every request of a steady stream, once", async () => {
  const microvm = await useCounter();
  await microvm.becomes("RUNNING");
  let isOver = false;
  const counted: string[] = [];
  const stream = (async () => {
    while (!isOver) counted.push((await microvm.ask("/cgi-bin/count")).trim());
  })();
  stream.catch(() => {}); // awaited below
  for (let sleep = 0; sleep < SLEEPS; sleep++) {
    const before = counted.length;
    await microvm.suspend();
    await eventually("a request was answered since", LIMIT_MS, async () =>
      counted.length > before + 1 ? { done: undefined } : { saw: String(counted.length) },
    );
    await setTimeout(sleep % 2 === 0 ? 0 : 50);
  }
  isOver = true;
  await stream;
  expect(counted).toEqual(counted.map((_, index) => `${index + 1} ${index + 1}`));

  await microvm.suspend();
  await microvm.becomes("SUSPENDED");
  await eventually("its process is gone", LIMIT_MS, async () =>
    (await microvm.machines()).length === 0 ? { done: undefined } : { saw: "a process" },
  );
  const asked = Array.from({ length: AT_ONCE }, () => microvm.ask("/page"));
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["a page"]));
  expect(await microvm.machines()).toHaveLength(1);
  expect(await microvm.ask("/cgi-bin/count")).toBe(`${counted.length + 1} ${counted.length + 1}\n`);
});
