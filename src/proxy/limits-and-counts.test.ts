import { createServer } from "node:http";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { sizeTier } from "../model/sizes.ts";
import { type ProxyFixture, readAll, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const CONFIG = { bind: "127.0.0.1", endpointPort: 0, domain: "localhost", region: "us-east-1" };

async function useLimited(): Promise<ProxyFixture> {
  return await useProxy({ tierOf: () => Promise.resolve(sizeTier(512)) });
}

test("more exchanges at once than the size allows are 429, and places are freed", async () => {
  const fixture = await useLimited();
  const held: (() => void)[] = [];
  const app = createServer((_request, response) => void held.push(() => response.end("ok")));
  fixture.microvm.ports.set(8080, await useServer(app));
  const open = Array.from({ length: 8 }, () => fixture.send());
  await vi.waitFor(() => expect(held).toHaveLength(8));
  expect(await fixture.send()).toMatchObject({ status: 429, body: "Too many connections to this MicroVM" });
  const other = fixture.addMicrovm();
  other.ports.set(8080, await useServer(createServer((_request, response) => response.end("other"))));
  expect((await fixture.send({ to: other })).body).toBe("other");
  for (const answer of held) answer();
  expect((await Promise.all(open)).every(({ status }) => status === 200)).toBe(true);
});

test("more requests a second than the size allows are 429", async () => {
  const fixture = await useLimited();
  fixture.microvm.ports.set(8080, await useServer(createServer((_request, response) => response.end("ok"))));
  const answers: number[] = [];
  for (let i = 0; i < 40; i++) answers.push((await fixture.send()).status);
  expect(answers.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  expect(answers).toContain(429);
});

test("bandwidth is shared by both directions, and too much of it waits", { timeout: 60_000 }, async () => {
  const fixture = await useLimited();
  fixture.microvm.ports.set(8080, await useServer(createServer((request, response) => request.pipe(response))));
  const body = "x".repeat(1_000_000);
  const begun = performance.now();
  expect((await fixture.send({ method: "POST", body })).body).toBe(body);
  const seconds = (performance.now() - begun) / 1000;
  expect(seconds).toBeGreaterThan(1.5); // two megabytes at one a second, less what may come at once
  expect(seconds).toBeLessThan(20);
});

test("bandwidth holds for what is no HTTP any more", { timeout: 60_000 }, async () => {
  const fixture = await useLimited();
  const app = createServer();
  app.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    socket.end(Buffer.alloc(1_500_000));
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const socket = await fixture.tls();
  const begun = performance.now();
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
  );
  expect((await readAll(socket)).length).toBeGreaterThan(1_500_000);
  expect(performance.now() - begun).toBeGreaterThan(1000);
});

test("a client that announces a body and sends none is given up", async () => {
  const fixture = await useProxy({ stalls: { uploadMs: 300, checkMs: 50 } });
  fixture.microvm.ports.set(8080, await useRawApp((socket) => void socket.resume()));
  const socket = await fixture.tls();
  socket.write(
    `POST / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\nContent-Length: 100\r\n\r\nfew`,
  );
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 408 [^]*connection: close/i);
  await vi.waitFor(() => expect(fixture.microvm.streams.every((stream) => stream.destroyed)).toBe(true));
});

test("an application that thinks for long is not given up", async () => {
  const fixture = await useProxy({ stalls: { uploadMs: 100, downloadMs: 100, checkMs: 20 } });
  const app = createServer((request, response) => {
    request.resume();
    setTimeout(() => response.end("at last"), 600);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  expect((await fixture.send({ method: "POST", body: "x" })).body).toBe("at last");
});

test("a client that takes nothing of a large answer is cut off", async () => {
  const fixture = await useProxy({ stalls: { downloadMs: 300, checkMs: 50 } });
  fixture.microvm.ports.set(
    8080,
    await useServer(createServer((_request, response) => response.end(Buffer.alloc(64 * 1024 * 1024)))),
  );
  const socket = await fixture.tls();
  socket.on("error", () => {});
  socket.pause();
  socket.write(`GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\n\r\n`);
  await vi.waitFor(() => expect(fixture.microvm.streams[0]?.destroyed).toBe(true), 20_000);
});

test("what passes is counted by version, status, reason and microVM", async () => {
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useServer(createServer((request, response) => request.pipe(response))));
  await fixture.send({ method: "POST", body: "hello" });
  await fixture.send({ token: null });
  await fixture.send({ headers: { "x-aws-proxy-port": "81" } });
  const id = fixture.microvm.microvmId;
  await vi.waitFor(() => {
    const page = fixture.proxy.metrics();
    expect(page).toContain('catnap_proxy_requests_total{version="1.1",code="2xx"} 1');
    expect(page).toContain('catnap_proxy_refusals_total{reason="missing-authentication"} 1');
    expect(page).toContain('catnap_proxy_refusals_total{reason="port-closed"} 1');
    expect(page).toContain(`catnap_proxy_microvm_requests_total{microvm_id="${id}"} 2`);
    expect(page).toContain('catnap_proxy_bytes_total{direction="received"} 5');
    expect(page).toContain("catnap_proxy_wakes_total 1");
    expect(page).toContain("catnap_proxy_first_byte_seconds_count 1");
    expect(page).toContain("catnap_proxy_open_exchanges 0");
  });
});

test("a line for every request names what happened and no secret", async () => {
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line) => void lines.push(line) });
  onTestFinished(() => void lines.splice(0));
  const fixture = await useProxy({ log, config: { ...CONFIG, accessLog: "on" } });
  const token = await fixture.token();
  fixture.microvm.ports.set(8080, await useServer(createServer((_request, response) => response.end("hello"))));
  await fixture.send({ token, path: `/page?secret=${token}` });
  const link = await fixture.send({ token, method: "POST", path: "/.well-known/catnap/link" });
  const { path } = JSON.parse(link.body) as { path: string };
  await fixture.send({ token: null, path });
  await vi.waitFor(() => expect(lines).toHaveLength(3));
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    ...{ microvmId: fixture.microvm.microvmId, port: 8080, method: "GET", path: "/page", version: "1.1" },
    ...{ status: 200, received: 0, sent: 5, msg: "request" },
  });
  expect(lines.join("")).not.toContain(token);
  expect(lines.join("")).not.toContain(path);
});
