import { createServer } from "node:http";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { type ProxyFixture, readAll, useProxy, useServer } from "./proxy-fixture.ts";
import { readRequestHead } from "./read-request-head.ts";

/** An application that must not see any of these requests, or exactly the first. */
async function useApp(): Promise<{ fixture: ProxyFixture; seen: string[] }> {
  const fixture = await useProxy();
  const seen: string[] = [];
  const app = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().once("end", () => response.end("seen"));
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  return { fixture, seen };
}

async function exchange(fixture: ProxyFixture, text: string): Promise<string> {
  const socket = await fixture.tls();
  socket.write(text.replaceAll("$HOST", fixture.microvm.host).replaceAll("$TOKEN", await fixture.token()), "latin1");
  return await readAll(socket);
}

const HEAD = "Host: $HOST\r\nX-aws-proxy-auth: $TOKEN\r\n";
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: $HOST\r\n\r\n";

test.each([
  [
    "Content-Length and Transfer-Encoding",
    `POST / HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  [
    "Transfer-Encoding and Content-Length",
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  ["two lengths", `POST / HTTP/1.1\r\n${HEAD}Content-Length: 0\r\nContent-Length: 44\r\n\r\n${SMUGGLED}`],
  ["a list of lengths", `POST / HTTP/1.1\r\n${HEAD}Content-Length: 0, 0\r\n\r\n${SMUGGLED}`],
  ["a signed length", `POST / HTTP/1.1\r\n${HEAD}Content-Length: +0\r\n\r\n${SMUGGLED}`],
  ["a hexadecimal length", `POST / HTTP/1.1\r\n${HEAD}Content-Length: 0x0\r\n\r\n${SMUGGLED}`],
  ["two transfer encodings", `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  [
    "chunked twice",
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  ["a blank before the colon", `POST / HTTP/1.1\r\n${HEAD}Content-Length : 5\r\n\r\n${SMUGGLED}`],
  ["a folded header", `GET / HTTP/1.1\r\n${HEAD}X: a\r\n Transfer-Encoding: chunked\r\n\r\n`],
  ["a bare line feed", `GET / HTTP/1.1\nHost: $HOST\nX-aws-proxy-auth: $TOKEN\n\n`],
  ["a bare line feed in a header", `GET / HTTP/1.1\r\n${HEAD}X: a\nTransfer-Encoding: chunked\r\n\r\n`],
  ["a bare carriage return", `GET / HTTP/1.1\r\n${HEAD}X: a\rTransfer-Encoding: chunked\r\n\r\n`],
  ["a zero byte", `GET / HTTP/1.1\r\n${HEAD}X: a\0b\r\n\r\n`],
  ["two hosts", `GET / HTTP/1.1\r\n${HEAD}Host: $HOST\r\n\r\n`],
  ["no host", `GET / HTTP/1.1\r\nX-aws-proxy-auth: $TOKEN\r\n\r\n`],
  ["two tokens", `GET / HTTP/1.1\r\n${HEAD}x-aws-proxy-auth: $TOKEN\r\n\r\n`],
  ["two ports", `GET / HTTP/1.1\r\n${HEAD}X-aws-proxy-port: 8080\r\nx-aws-proxy-port: 8080\r\n\r\n`],
  ["an absolute target", `GET https://$HOST/ HTTP/1.1\r\n${HEAD}\r\n`],
  ["another host's absolute target", `GET http://169.254.169.254/latest HTTP/1.1\r\n${HEAD}\r\n`],
  ["a host dropped by Connection", `GET / HTTP/1.1\r\n${HEAD}Connection: close, host\r\n\r\n`],
  [
    "a length dropped by Connection",
    `POST / HTTP/1.1\r\n${HEAD}Connection: content-length\r\nContent-Length: 4\r\n\r\nfour`,
  ],
  ["another HTTP version", `GET / HTTP/3.0\r\n${HEAD}\r\n`],
  ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
])("%s is malformed", async (_what, text) => {
  const { fixture, seen } = await useApp();
  const answer = await exchange(fixture, text);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toMatch(/x-amzn-requestid: [0-9a-f-]{36}\r\n/);
  expect(answer).toMatch(/cache-control: private, no-store\r\n/);
  expect(answer.match(/HTTP\/1.1 \d/g)).toHaveLength(1);
  expect(seen).toEqual([]);
  expect(fixture.microvm.wakes).toBe(0);
});

test("an odd transfer encoding is cut off", async () => {
  const { fixture, seen } = await useApp();
  const answer = await exchange(
    fixture,
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  );
  expect(answer).toMatch(/^$|^HTTP\/1.1 400 /);
  expect(seen).toEqual([]);
});

test.each(["CONNECT $HOST:443", "TRACE /"])("%s is not allowed", async (line) => {
  const { fixture, seen } = await useApp();
  expect(await exchange(fixture, `${line} HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 405 /);
  expect(seen).toEqual([]);
});

test("headers larger than 32 KiB are refused", async () => {
  const { fixture, seen } = await useApp();
  expect(await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}X: ${"a".repeat(33 * 1024)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  );
  expect(await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}${"a:\r\n".repeat(9000)}\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  expect(seen).toEqual([]);
});

test("no header is lost among many: a second token is still seen", async () => {
  const { fixture, seen } = await useApp();
  expect(
    await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}${"a:\r\n".repeat(900)}x-aws-proxy-auth: other\r\n\r\n`),
  ).toMatch(/^HTTP\/1.1 400 /);
  expect(
    await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}${"a:\r\n".repeat(2100)}x-aws-proxy-auth: other\r\n\r\n`),
  ).toMatch(/^HTTP\/1.1 431 /);
  expect(seen).toEqual([]);
});

test("a refused upload ends the connection instead of draining it", async () => {
  const { fixture, seen } = await useApp();
  const answer = await exchange(fixture, `POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 1000000000\r\n\r\nfew`);
  expect(answer).toMatch(/^HTTP\/1.1 403 [^]*connection: close/i);
  expect(seen).toEqual([]);
});

test("a broken chunk in the middle of a body reaches neither side as a request", async () => {
  const { fixture, seen } = await useApp();
  const answer = await exchange(
    fixture,
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n${SMUGGLED}`,
  );
  expect(answer).not.toMatch(/200 OK/);
  expect(seen.filter((line) => line.includes("smuggled"))).toEqual([]);
});

test("a body under GET with Upgrade is a body, not the first bytes of another protocol", async () => {
  const { fixture, seen } = await useApp();
  const body = SMUGGLED.replace("$HOST", "x");
  const answer = await exchange(
    fixture,
    `GET / HTTP/1.1\r\n${HEAD}Connection: Upgrade, close\r\nUpgrade: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
  expect(seen).toEqual(["GET /"]);
});

test("an upgrade behind an unanswered request cuts the connection", async () => {
  const fixture = await useProxy();
  const seen = vi.fn<() => void>();
  fixture.microvm.ports.set(8080, await useServer(createServer(seen)));
  const pipelined = `GET /slow HTTP/1.1\r\n${HEAD}\r\nGET / HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: x\r\n\r\n`;
  expect(await exchange(fixture, pipelined)).toBe("");
});

test("pipelined requests are each checked and answered in order", async () => {
  const { fixture, seen } = await useApp();
  const answer = await exchange(
    fixture,
    `GET /1 HTTP/1.1\r\n${HEAD}\r\nGET /2 HTTP/1.1\r\nHost: $HOST\r\n\r\nGET /3 HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
  );
  expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403", "HTTP/1.1 200"]);
  expect(seen.toSorted()).toEqual(["GET /1", "GET /3"]);
});

test("HTTP/1.0 clients are answered without chunks", async () => {
  const fixture = await useProxy();
  const app = createServer((_request, response) => {
    response.write("a");
    response.end("b");
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const answer = await exchange(fixture, `GET / HTTP/1.0\r\n${HEAD}\r\n`);
  expect(answer).toMatch(/\r\n\r\nab$/);
  expect(answer).not.toMatch(/chunked/);
});

test("whatever the head, reading it gives a value and never throws", () => {
  const name = fc.oneof(
    fc.constantFrom(
      "Host",
      "host",
      "X-aws-proxy-auth",
      "x-aws-proxy-port",
      "Content-Length",
      "Transfer-Encoding",
      "Connection",
      "Sec-WebSocket-Protocol",
      "Sec-WebSocket-Key",
    ),
    fc.string(),
  );
  const value = fc.oneof(
    fc.constantFrom(
      "a.localhost",
      "chunked",
      "0",
      "8080",
      "close, host",
      "lambda-microvms, lambda-microvms.port.1",
      "lambda-microvms.authentication.",
    ),
    fc.string({ unit: "binary" }),
  );
  const request = fc.record({
    method: fc.constantFrom("GET", "POST", "CONNECT", "OPTIONS", ""),
    url: fc.oneof(fc.constantFrom("/", "*", "//x", "/a b", "http://x/"), fc.string({ unit: "binary" })),
    rawHeaders: fc.array(fc.tuple(name, value)).map((pairs) => pairs.flat()),
    serverName: fc.option(fc.constantFrom("a.localhost", "A.localhost."), { nil: undefined }),
    isUpgrade: fc.boolean(),
  });
  fc.assert(
    fc.property(request, (given) => {
      const head = readRequestHead(given);
      if ("refused" in head) return;
      expect(head.port).toBeGreaterThanOrEqual(1);
      expect(head.port).toBeLessThanOrEqual(65535);
      expect(head.host === undefined || head.host === "a.localhost").toBe(true);
      expect(head.subprotocols.application.some((item) => item.startsWith("lambda-microvms.port."))).toBe(false);
    }),
    { numRuns: 2000 },
  );
});
