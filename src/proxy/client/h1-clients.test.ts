import { createServer, type RequestListener } from "node:http";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { EndpointProxyOptions } from "../endpoint-proxy.ts";
import { type ProxyFixture, readAll, useProxy, useServer } from "../proxy-fixture.ts";

const HEAD = "Host: $HOST\r\nX-aws-proxy-auth: $TOKEN\r\n";

/** An application that answers with method, path and body of each request. */
async function useEcho(options: Partial<EndpointProxyOptions> = {}): Promise<ProxyFixture> {
  return await useApp((request, response) => {
    let body = "";
    request.setEncoding("latin1").on("data", (chunk: string) => (body += chunk));
    request.once("end", () => response.end(`${request.method} ${request.url} ${body}`));
  }, options);
}

async function useApp(app: RequestListener, options: Partial<EndpointProxyOptions> = {}): Promise<ProxyFixture> {
  const fixture = await useProxy(options);
  fixture.microvm.ports.set(8080, await useServer(createServer(app)));
  return fixture;
}

async function filled(fixture: ProxyFixture, text: string): Promise<string> {
  return text.replaceAll("$HOST", fixture.microvm.host).replaceAll("$TOKEN", await fixture.token());
}

async function exchange(fixture: ProxyFixture, text: string): Promise<string> {
  const socket = await fixture.tls();
  socket.write(await filled(fixture, text), "latin1");
  return await readAll(socket);
}

test("requests read the same however they are cut", async () => {
  const fixture = await useEcho();
  const text = await filled(
    fixture,
    `POST /1 HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-T: 1\r\n\r\n` +
      `\r\nPUT /2 HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n\r\nyes` +
      `GET /3 HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
  );
  for (const size of [1, 7, 300, text.length]) {
    const socket = await fixture.tls();
    socket.setNoDelay(true);
    const answer = readAll(socket);
    for (let at = 0; at < text.length; at += size) {
      socket.write(text.slice(at, at + size), "latin1");
      if (size < 300 && at % 64 === 0) await new Promise(setImmediate);
    }
    const bodies = (await answer).match(/(?:POST|PUT|GET) \/\d \w*?(?=HTTP|$)/g);
    expect(bodies).toEqual(["POST /1 hello", "PUT /2 yes", "GET /3 "]);
  }
});

test("requests whose fields are the same to the byte are still requests of their own", async () => {
  const fixture = await useApp((request, response) => {
    response.setHeader("X-Seen", `${request.method} ${request.url} ${request.headers["content-length"] ?? "none"}`);
    response.end(request.headers["x-amzn-requestid"]);
  });
  const lines = ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "HEAD /3 HTTP/1.1", "POST /4 HTTP/1.1", "GET /5 HTTP/1.1"];
  const text = [...lines, "GET http://other/ HTTP/1.1"].map((line) => `${line}\r\n${HEAD}\r\n`).join("");
  const answer = await exchange(fixture, text);
  expect(answer.match(/(?<=X-Seen: ).*(?=\r)/g)).toEqual([
    ...["GET /1 none", "GET /2 none", "HEAD /3 none", "POST /4 0", "GET /5 none"],
  ]);
  const ids = [...answer.matchAll(/x-amzn-requestid: (\S+)\r\n.*?\r\n\r\n([0-9a-f-]{36})?/gs)];
  expect(ids.map(([, sent, seen]) => seen ?? sent)).toEqual(ids.map(([, sent]) => sent));
  expect(new Set(ids.map(([, sent]) => sent)).size).toBe(6);
  expect(answer).toContain("HTTP/1.1 400 ");
});

test("a connection is kept after an answer, unless the client says otherwise", async () => {
  const fixture = await useEcho();
  const twice = `GET / HTTP/1.0\r\n${HEAD}Connection: keep-alive\r\n\r\nGET /last HTTP/1.0\r\n${HEAD}\r\n`;
  const answer = await exchange(fixture, twice);
  expect(answer.match(/\r\nConnection: [\w-]+/g)).toEqual(["\r\nConnection: keep-alive", "\r\nConnection: close"]);
  expect(answer).toMatch(/\r\nKeep-Alive: timeout=65\r\n/);
  expect(answer).toMatch(/GET \/last $/);
});

test("an answer without a date gets one", async () => {
  const fixture = await useApp((_request, response) => {
    response.sendDate = false;
    response.end("x");
  });
  const answer = await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
  expect(answer.match(/^date: .*GMT\r$/gim)).toHaveLength(1);
});

test.each([
  ["half a head", "GET / HTTP/1.1\r\nHost:"],
  ["nothing at all", ""],
])("a client that sends %s is told that its time is over", async (_what, text) => {
  const fixture = await useEcho({ clientLimits: { headMs: 200, idleMs: 60_000 } });
  expect(await exchange(fixture, text)).toMatch(/^HTTP\/1.1 408 [^]*x-amzn-requestid: /);
});

test("half a head after an answer is not waited for longer than another", async () => {
  const fixture = await useEcho({ clientLimits: { headMs: 300, idleMs: 60_000 } });
  const answer = await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}\r\nGET /`);
  expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 408"]);
});

test("an idle connection is closed without a word, and one with a request under way is not", async () => {
  const fixture = await useApp((_request, response) => void setTimeout(() => response.end("at last"), 700), {
    clientLimits: { headMs: 200, idleMs: 200 },
  });
  const answer = await exchange(fixture, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  expect(answer).toMatch(/at last$/);
  expect(answer.match(/HTTP\/1.1 \d+/g)).toHaveLength(1);
});

test("bytes that never become a head are refused without waiting for its end", async () => {
  const fixture = await useEcho();
  expect(await exchange(fixture, "SSH-2.0-OpenSSH_9.2\n")).toMatch(/^HTTP\/1.1 400 /);
});

test("thousands of requests sent ahead are refused one by one", async () => {
  const fixture = await useEcho();
  const refused = "GET / HTTP/1.1\r\nHost: $HOST\r\n\r\n".repeat(3000);
  const answer = await exchange(fixture, `${refused}GET /end HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
  expect(answer.match(/HTTP\/1.1 403/g)).toHaveLength(3000);
  expect(answer).toMatch(/GET \/end $/);
});

test("a client that sends ahead and reads nothing is held back", async () => {
  let seen = 0;
  const fixture = await useApp((_request, response) => {
    seen++;
    response.end(Buffer.alloc(1_000_000));
  });
  const socket = await fixture.tls();
  socket.on("error", () => {});
  socket.pause();
  socket.write((await filled(fixture, `GET / HTTP/1.1\r\n${HEAD}\r\n`)).repeat(500), "latin1");
  let before = -1;
  await vi.waitFor(
    () => {
      const isSteady = seen === before && seen > 0;
      before = seen;
      expect(isSteady).toBe(true);
    },
    { timeout: 20_000, interval: 300 },
  );
  expect(seen).toBeLessThan(100);
});

test("a body that is not over when its answer is gets two more seconds, and the connection goes on if it ends then", async () => {
  const fixture = await useApp((_request, response) => response.end("early"));
  const socket = await fixture.tls();
  socket.write(await filled(fixture, `POST / HTTP/1.1\r\n${HEAD}Content-Length: 4\r\n\r\nhe`), "latin1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await vi.waitFor(() => expect(text).toMatch(/early/));
  socket.write(await filled(fixture, `reGET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`), "latin1");
  await vi.waitFor(() => expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(2));
});

test("whatever bytes come, they are answered or cut off, and others are served", { timeout: 120_000 }, async () => {
  const fixture = await useEcho({ clientLimits: { headMs: 100, idleMs: 100 }, stalls: { uploadMs: 100, checkMs: 50 } });
  const pieces = await Promise.all(
    [
      ...[
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        `${HEAD}\r\n`,
        HEAD,
      ],
      ...["\r\n", "\r\n\r\n", "\r", "\n", ":", "\0", " ", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"],
      ...[
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "fffffffffffff\r\n",
        "abc",
        "Connection: Upgrade\r\nUpgrade: x\r\n",
        "Expect: 100-continue\r\n",
      ],
    ].map((piece) => filled(fixture, piece)),
  );
  const bytes = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 20, maxLength: 20 }), async (connections) => {
      const answers = connections.map(async (parts) => {
        const socket = await fixture.tls();
        socket.write(parts.join(""), "latin1");
        return await readAll(socket).catch(() => ""); // cut off
      });
      for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^$|^HTTP\/1.1 (?:[1245]\d\d) /);
    }),
    { numRuns: 10 },
  );
  expect((await fixture.send()).body).toBe("GET / ");
});
