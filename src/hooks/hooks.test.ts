import { createServer, type IncomingMessage } from "node:http";
import { connect, createServer as createRawServer, type AddressInfo, type Server } from "node:net";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { readHooks } from "../model/hooks.ts";
import { isoDuration, passBuildHook } from "./build-hooks.ts";
import { callHook } from "./call-hook.ts";
import { callRuntimeHook } from "./runtime-hooks.ts";

/** A guest whose port 9000 is a local server. */
async function useGuest(server: Server): Promise<GuestLink> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    relay: async (wanted: number) => {
      if (wanted !== 9000) return { refused: "port-closed" as const };
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
  } as Partial<GuestLink> as GuestLink;
}

interface Seen {
  readonly request: IncomingMessage;
  readonly body: string;
}

async function useHookServer(statuses: number[]) {
  const seen: Seen[] = [];
  const link = await useGuest(
    createServer(async (request, response) => {
      seen.push({ request, body: await text(request) });
      response.writeHead(statuses.length > 1 ? (statuses.shift() ?? 200) : (statuses[0] ?? 200)).end("ignored");
    }),
  );
  return { link, seen };
}

const HOOKS = { port: 9000, ready: 5, validate: 5, run: 5, resume: 5, suspend: 5, terminate: 5 };
const building = (link: GuestLink, over: Partial<typeof HOOKS> = {}) =>
  passBuildHook({
    link,
    hook: "ready",
    hooks: { ...HOOKS, ...over },
    signal: new AbortController().signal,
    checkApp: async () => {},
  });

test("the run hook is a POST with the microVM's id and payload, and no user agent", async () => {
  const { link, seen } = await useHookServer([200]);
  expect(
    await callRuntimeHook(link, HOOKS, { hook: "run", body: { microvmId: "microvm-1", runHookPayload: '{"a":1}' } }),
  ).toBeUndefined();
  const [{ request, body }] = seen as [Seen];
  expect([request.method, request.url]).toEqual(["POST", "/aws/lambda-microvms/runtime/v1/run"]);
  expect(request.headers).toEqual({
    host: "localhost:9000",
    connection: "close",
    "content-type": "application/json",
    "content-length": String(body.length),
  });
  expect(JSON.parse(body)).toEqual({ microvmId: "microvm-1", runHookPayload: '{"a":1}' });
});

test("other hooks have no body and no content type", async () => {
  const { link, seen } = await useHookServer([200]);
  await callRuntimeHook(link, HOOKS, { hook: "suspend" });
  expect(seen[0]?.body).toBe("");
  expect(seen[0]?.request.headers).not.toHaveProperty("content-type");
});

test("a hook that is not enabled is not called", async () => {
  const { link, seen } = await useHookServer([500]);
  expect(await callRuntimeHook(link, { port: 9000 }, { hook: "resume" })).toBeUndefined();
  expect(await callRuntimeHook(link, undefined, { hook: "resume" })).toBeUndefined();
  expect(seen).toHaveLength(0);
});

test("failures give the service's reasons", async () => {
  const { link } = await useHookServer([400]);
  expect(await callRuntimeHook(link, HOOKS, { hook: "run" })).toBe(
    "Run lifecycle hook returned HTTP status 400. Please check your hook endpoint and application logs for more details.",
  );
  expect(await callRuntimeHook(link, { ...HOOKS, port: 9001 }, { hook: "resume" })).toMatch(
    /^Resume lifecycle hook connection was refused\. /,
  );
  const silent = await useGuest(createRawServer(() => {}));
  expect(await callRuntimeHook(silent, { port: 9000, resume: 0.05 }, { hook: "resume" })).toBe(
    "Resume lifecycle hook timed out",
  );
  const garbage = await useGuest(createRawServer((socket) => socket.end("nonsense\r\n\r\n")));
  expect(await callRuntimeHook(garbage, HOOKS, { hook: "suspend" })).toMatch(/^Suspend lifecycle hook failed\. /);
});

test("a call that nobody waits for any more ends at once", async () => {
  const silent = await useGuest(createRawServer(() => {}));
  const hurry = new AbortController();
  const called = callRuntimeHook(silent, { port: 9000, run: 60 }, { hook: "run", signal: hurry.signal });
  hurry.abort();
  expect(await called).toMatch(/^Run lifecycle hook failed\. /);
  const aborted = { hook: "run", signal: hurry.signal } as const;
  expect(await callRuntimeHook(silent, { port: 9000, run: 60 }, aborted)).toMatch(/failed/);
});

test("endless headers are cut off", async () => {
  const link = await useGuest(
    createRawServer((socket) => {
      socket.on("error", () => {});
      socket.write(`HTTP/1.1 200 OK\r\n${"X-Pad: y\r\n".repeat(10_000)}`);
    }),
  );
  expect(await callHook(link, { hook: "run", port: 9000, timeoutMs: 5_000 })).toEqual({ outcome: "failed" });
});

test("ready is asked again while it answers 503", async () => {
  const { link, seen } = await useHookServer([503, 503, 200]);
  await building(link);
  expect(seen).toHaveLength(3);
});

test.each([
  [404, /client error \(HTTP 4xx\)/],
  [500, /server error \(HTTP 5xx\)/],
])("ready answering %i fails the build at the first call", async (status, words) => {
  const { link, seen } = await useHookServer([status]);
  await expect(building(link)).rejects.toThrow(words);
  expect(seen).toHaveLength(1);
});

test("ready is asked again while nothing listens yet, and what changes is told once", async () => {
  const { link } = await useHookServer([503, 503, 200]);
  let asked = 0;
  const starting = { relay: (port: number) => link.relay(asked++ < 2 ? 1 : port) } as Partial<GuestLink> as GuestLink;
  const told: string[] = [];
  await passBuildHook({
    link: starting,
    hook: "validate",
    hooks: HOOKS,
    signal: new AbortController().signal,
    checkApp: async () => {},
    onAnswer: (what) => told.push(what),
  });
  expect(told).toEqual(["cannot be called yet: nothing listens", "answered 503", "answered 200"]);
});

test("a build that is stopped does not wait for a held hook", async () => {
  const silent = await useGuest(createRawServer(() => {}));
  const stop = new AbortController();
  const passing = passBuildHook({
    link: silent,
    hook: "ready",
    hooks: { port: 9000, ready: 3600 },
    signal: stop.signal,
    checkApp: async () => {},
  });
  stop.abort(new Error("going down"));
  await expect(passing).rejects.toThrow("going down");
});

test("ready that never passes names its limit as an ISO duration", async () => {
  const { link } = await useHookServer([503]);
  await expect(building(link, { ready: 1 })).rejects.toThrow("Ready hook invocation timed out after PT1S");
});

test("durations are written as ISO 8601 writes them", () => {
  expect([30, 300, 600, 90, 3600].map(isoDuration)).toEqual(["PT30S", "PT5M", "PT10M", "PT1M30S", "PT1H"]);
});

test("only enabled hooks are read, with the documented default limits", () => {
  expect(
    readHooks({
      port: 9000,
      microvmHooks: { run: "ENABLED", runTimeoutInSeconds: 2, resume: "DISABLED" },
      microvmImageHooks: { ready: "ENABLED" },
    }),
  ).toEqual({ port: 9000, run: 2, ready: 30 });
  expect(readHooks({ port: 9000, microvmHooks: { run: "DISABLED" } })).toBeUndefined();
  expect(readHooks(undefined)).toBeUndefined();
});
