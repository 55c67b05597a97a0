import { createServer } from "node:http";
import { request as httpsRequest } from "node:https";
import { expect, test, vi } from "vitest";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { type ProxyFixture, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

async function useCounter(fixture: ProxyFixture): Promise<void> {
  let count = 0;
  fixture.microvm.ports.set(8080, await useServer(createServer((_request, response) => response.end(String(++count)))));
}

test("requests to a sleeper are held, and all go out when it is awake", async () => {
  const fixture = await useProxy();
  await useCounter(fixture);
  const { promise, resolve } = Promise.withResolvers<GuestLink>();
  fixture.microvm.onAwake = () => promise;
  const answers = Promise.all(Array.from({ length: 5 }, () => fixture.send()));
  await vi.waitFor(() => expect(fixture.microvm.wakes).toBe(5));
  expect(fixture.microvm.relays).toBe(0);
  resolve(fixture.microvm.link);
  expect((await answers).map(({ body }) => body).toSorted()).toEqual(["1", "2", "3", "4", "5"]);
  expect(fixture.microvm.downListeners).toBe(1);
});

test("a microVM known to run is not asked to wake again", async () => {
  const fixture = await useProxy();
  await useCounter(fixture);
  for (let i = 0; i < 3; i++) expect((await fixture.send()).status).toBe(200);
  expect(fixture.microvm.wakes).toBe(1);
  expect(fixture.microvm.relays).toBe(1);
});

test("after leaving RUNNING nothing of the former life is used again", async () => {
  const fixture = await useProxy();
  await useCounter(fixture);
  expect((await fixture.send()).body).toBe("1");
  fixture.microvm.goDown();
  expect(fixture.microvm.streams.every((stream) => stream.destroyed)).toBe(true);
  expect(fixture.microvm.downListeners).toBe(0);
  expect((await fixture.send()).body).toBe("2");
  expect(fixture.microvm.wakes).toBe(2);
  expect(fixture.microvm.relays).toBe(2);
});

test("a request under way when its microVM goes down is a 502, and is not repeated", async () => {
  const fixture = await useProxy();
  const seen = vi.fn<() => void>();
  fixture.microvm.ports.set(8080, await useServer(createServer(seen)));
  const answer = fixture.send();
  await vi.waitFor(() => expect(seen).toHaveBeenCalledOnce());
  fixture.microvm.goDown();
  expect(await answer).toMatchObject({ status: 502, headers: { "x-aws-proxy-error": "MICROVM_CONNECT_FAILED" } });
  expect(seen).toHaveBeenCalledOnce();
  expect(fixture.microvm.wakes).toBe(1);
});

test.each([
  ["asleep", 502, "", undefined],
  ["gone", 502, "MicroVM is not reachable", "MICROVM_CONNECT_FAILED"],
  ["failed", 502, "MicroVM is not reachable", "MICROVM_CONNECT_FAILED"],
] as const)("a wake refused as %s answers %i", async (refused, status, body, error) => {
  const fixture = await useProxy();
  fixture.microvm.onAwake = () =>
    Promise.resolve(refused === "failed" ? { refused, cause: new Error("no") } : { refused });
  const answer = await fixture.send();
  expect(answer).toMatchObject({ status, body });
  expect(answer.headers["x-aws-proxy-error"]).toBe(error);
  expect(answer.headers["x-amzn-requestid"]).toBeDefined();
});

test("a wake that throws is a 502 too", async () => {
  const fixture = await useProxy();
  fixture.microvm.onAwake = () => Promise.reject(new Error("boom"));
  expect((await fixture.send()).status).toBe(502);
});

test("a wake without an end is given up", async () => {
  const fixture = await useProxy({ wakeDeadlineMs: 50 });
  let signal: AbortSignal | undefined;
  fixture.microvm.onAwake = (given) => {
    signal = given;
    return new Promise(() => {});
  };
  expect((await fixture.send()).status).toBe(502);
  expect(signal?.aborted).toBe(true);
});

test("more waiting requests than allowed are refused, and places are freed", async () => {
  const fixture = await useProxy({ maxWaiting: 2 });
  await useCounter(fixture);
  const { promise, resolve } = Promise.withResolvers<GuestLink>();
  fixture.microvm.onAwake = () => promise;
  const held = [fixture.send(), fixture.send()];
  await vi.waitFor(() => expect(fixture.microvm.wakes).toBe(2));
  expect((await fixture.send()).status).toBe(429);
  resolve(fixture.microvm.link);
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await fixture.send()).status).toBe(200);
});

test("a client that leaves stops waiting", async () => {
  const fixture = await useProxy();
  let signal: AbortSignal | undefined;
  fixture.microvm.onAwake = (given) => {
    signal = given;
    return new Promise(() => {});
  };
  const { host } = fixture.microvm;
  const request = httpsRequest({
    host: "127.0.0.1",
    port: fixture.port,
    servername: host,
    ca: fixture.certificates.rootPem,
    headers: { host, "x-aws-proxy-auth": await fixture.token() },
  });
  request.on("error", () => {}).end();
  await vi.waitFor(() => expect(signal).toBeDefined());
  request.destroy();
  await vi.waitFor(() => expect(signal?.aborted).toBe(true));
});

test("a body held during the wake arrives whole", async () => {
  const fixture = await useProxy();
  const app = createServer((request, response) => request.pipe(response));
  fixture.microvm.ports.set(8080, await useServer(app));
  const { promise, resolve } = Promise.withResolvers<GuestLink>();
  fixture.microvm.onAwake = () => promise;
  const body = "x".repeat(1_000_000);
  const answer = fixture.send({ method: "POST", body });
  await vi.waitFor(() => expect(fixture.microvm.wakes).toBe(1));
  resolve(fixture.microvm.link);
  expect((await answer).body).toBe(body);
});

test("the first connection of a life may find no application yet: a 502 at once", async () => {
  const fixture = await useProxy();
  expect(await fixture.send()).toMatchObject({ status: 502, headers: { "x-aws-proxy-error": "APP_CONNECT_FAILED" } });
  await useCounter(fixture);
  expect((await fixture.send()).status).toBe(200);
});

test("bytes in either direction are reported, at most a few times a second", async () => {
  const fixture = await useProxy();
  const app = await useRawApp((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      let sent = 0;
      const timer = setInterval(() => {
        if (++sent < 40) return void socket.write("x");
        clearInterval(timer);
        socket.end();
      }, 10);
    });
  });
  fixture.microvm.ports.set(8080, app);
  const begin = performance.now();
  expect((await fixture.send()).body).toHaveLength(39);
  const most = Math.floor((performance.now() - begin) / 250) + 1;
  expect(fixture.microvm.touches).toBeGreaterThanOrEqual(2);
  expect(fixture.microvm.touches).toBeLessThanOrEqual(most);
});
