import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from "node:http2";
import { createConnection, createServer as createNetServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ProxyFixture, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const MIB = 1024 * 1024;

interface H2Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: string;
  readonly code: number;
}

function useSession(fixture: ProxyFixture, port = fixture.port): ClientHttp2Session {
  const { host } = fixture.microvm;
  const session = connect(`https://${host}`, {
    maxSessionMemory: 100, // else node gives up answers while much of its own is unsent
    createConnection: () =>
      connectTls({
        host: "127.0.0.1",
        port,
        servername: host,
        ca: fixture.certificates.rootPem,
        ALPNProtocols: ["h2"],
      }),
  });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

async function answerOf(stream: ClientHttp2Stream): Promise<H2Answer> {
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  let body = "";
  stream.on("response", (given) => (headers = given));
  stream.on("trailers", (given) => (trailers = given));
  stream.on("error", () => {});
  stream.setEncoding("utf8").on("data", (text: string) => (body += text));
  await new Promise((resolve) => stream.once("close", resolve));
  return { status: Number(headers[":status"]), headers, trailers, body, code: stream.rstCode };
}

async function ask(
  fixture: ProxyFixture,
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
) {
  const all = { ":authority": fixture.microvm.host, "x-aws-proxy-auth": await fixture.token(), ...headers };
  const stream = session.request(all, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return await answerOf(stream);
}

async function useEcho(): Promise<ProxyFixture> {
  const fixture = await useProxy();
  const app = createServer((request, response) => {
    response.setHeader("x-seen", JSON.stringify([request.method, request.url, request.rawHeaders]));
    request.pipe(response);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  return fixture;
}

test("an HTTP/1.1 application sees an HTTP/2 request as one of its own", async () => {
  const fixture = await useEcho();
  const answer = await ask(
    fixture,
    useSession(fixture),
    { ":method": "POST", ":path": "/a?b", cookie: ["a=1", "b=2"], te: "trailers", "x-aws-proxy-port": "8080" },
    "hello",
  );
  expect(answer).toMatchObject({ status: 200, body: "hello", code: 0 });
  const [method, url, raw] = JSON.parse(String(answer.headers["x-seen"])) as [string, string, string[]];
  expect([method, url]).toEqual(["POST", "/a?b"]);
  expect(raw).toEqual([
    ...["host", fixture.microvm.host, "cookie", "a=1; b=2", "Transfer-Encoding", "chunked", "TE", "trailers"],
    ...["Connection", "keep-alive", "x-amzn-requestid", answer.headers["x-amzn-requestid"]],
  ]);
});

test("a request without a body has none, and a sized one stays sized", async () => {
  const fixture = await useEcho();
  const session = useSession(fixture);
  const seen = (answer: H2Answer): string => String(answer.headers["x-seen"]);
  expect(seen(await ask(fixture, session))).not.toMatch(/transfer-encoding|content-length/i);
  const sized = await ask(fixture, session, { ":method": "PUT", "content-length": "4" }, "four");
  expect(sized.body).toBe("four");
  expect(seen(sized)).toMatch(/"content-length","4"/);
  expect((await ask(fixture, session, { ":method": "HEAD" })).body).toBe("");
});

test("trailers of an HTTP/1.1 application reach an HTTP/2 client, and the client's reach the application", async () => {
  const fixture = await useProxy();
  const app = createServer((request, response) => {
    request.resume().once("end", () => {
      response.write("body");
      response.addTrailers({ "x-sum": `got ${request.trailers["x-up"]}` });
      response.end();
    });
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const stream = useSession(fixture).request(
    { ":method": "POST", "x-aws-proxy-auth": await fixture.token() },
    { waitForTrailers: true },
  );
  stream.once("wantTrailers", () => stream.sendTrailers({ "x-up": "1" }));
  stream.end("some");
  expect(await answerOf(stream)).toMatchObject({ status: 200, body: "body", trailers: { "x-sum": "got 1" } });
});

test("refusals are those of HTTP/1.1", async () => {
  const fixture = await useEcho();
  const session = useSession(fixture);
  const other = fixture.addMicrovm();
  expect(await ask(fixture, session, { "x-aws-proxy-auth": "none" })).toMatchObject({
    status: 403,
    body: "Request missing authentication",
    headers: { "x-aws-proxy-error": "UNAUTHORIZED", "cache-control": "private, no-store" },
  });
  expect(await ask(fixture, session, { ":authority": other.host })).toMatchObject({
    status: 403,
    body: "Token authentication failed",
  });
  expect((await ask(fixture, session, { "x-aws-proxy-port": "nine" })).status).toBe(400);
  expect((await ask(fixture, session, { ":method": "TRACE" })).status).toBe(405);
  expect((await ask(fixture, session, { "x-aws-proxy-port": "81" })).status).toBe(502);
  const upload = await ask(fixture, session, { ":method": "POST", "x-aws-proxy-auth": "none" }, Buffer.alloc(MIB));
  expect(upload.status).toBe(403);
  expect(fixture.microvm.wakes).toBe(1);
});

test("a Host field that differs from :authority is a broken request", async () => {
  const fixture = await useEcho();
  const { host } = fixture.microvm;
  const { code } = await ask(fixture, useSession(fixture), { ":authority": host, host: "other.localhost" });
  expect(code).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
  expect(fixture.microvm.wakes).toBe(0);
});

test("100 requests at once on one connection are each answered", async () => {
  const fixture = await useEcho();
  const session = useSession(fixture);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => ask(fixture, session, { ":method": "POST" }, `body ${i}`)),
  );
  expect(answers.map((answer) => answer.body)).toEqual(Array.from({ length: 100 }, (_, i) => `body ${i}`));
});

test("events arrive as they come, and a client that leaves ends the application's request", async () => {
  const fixture = await useProxy();
  const gone = vi.fn<() => void>();
  const app = createServer((_request, response) => {
    response.once("close", gone);
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const stream = useSession(fixture).request({ "x-aws-proxy-auth": await fixture.token() });
  expect(String(await new Promise((resolve) => stream.once("data", resolve)))).toBe("data: 1\n\n");
  stream.close(constants.NGHTTP2_CANCEL);
  await vi.waitFor(() => expect(gone).toHaveBeenCalledOnce());
});

test("an application that breaks off resets the stream", async () => {
  const fixture = await useProxy();
  const app = await useRawApp((socket) => {
    socket.once("data", () =>
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", () => socket.destroy()),
    );
  });
  fixture.microvm.ports.set(8080, app);
  const answer = await ask(fixture, useSession(fixture));
  expect(answer).toMatchObject({ status: 200, body: "short" });
  expect(answer.code).not.toBe(0);
});

test("an early answer to an upload arrives whole", async () => {
  const fixture = await useProxy();
  const app = await useRawApp((socket) => {
    socket.once("data", () =>
      socket.end("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"),
    );
  });
  fixture.microvm.ports.set(8080, app);
  const stream = useSession(fixture).request({ ":method": "POST", "x-aws-proxy-auth": await fixture.token() });
  stream.write(Buffer.alloc(1000));
  expect(await answerOf(stream)).toMatchObject({ status: 413, body: "big" });
});

test("an application that does not read holds an upload back, and the connection stays usable", async () => {
  const fixture = await useEcho();
  fixture.microvm.ports.set(81, await useRawApp((socket) => void socket.pause()));
  const session = useSession(fixture);
  const token = await fixture.token();
  let written = 0;
  for (let i = 0; i < 3; i++) {
    const stream = session.request({ ":method": "POST", "x-aws-proxy-auth": token, "x-aws-proxy-port": "81" });
    stream.on("error", () => {});
    const fill = (): void => {
      while (written < 400 && !stream.destroyed) {
        written++;
        if (!stream.write(Buffer.alloc(MIB))) return void stream.once("drain", fill);
      }
    };
    fill();
  }
  await isSteady(() => written);
  expect(written).toBeLessThan(100);
  expect((await ask(fixture, session, { ":method": "POST" }, "through")).body).toBe("through");
});

test("an upload over 90 ms of latency is not held to the service's 0.6 MB/s", { timeout: 60_000 }, async () => {
  const fixture = await useEcho();
  const sink = createServer((request, response) => request.resume().once("end", () => response.end("done")));
  fixture.microvm.ports.set(81, await useServer(sink));
  const session = useSession(fixture, await useSlowRoad(fixture.port, 45));
  await ask(fixture, session, { "x-aws-proxy-port": "81" });
  const begun = performance.now();
  const body = randomBytes(16 * MIB);
  expect((await ask(fixture, session, { ":method": "POST", "x-aws-proxy-port": "81" }, body)).body).toBe("done");
  const perSecond = body.length / ((performance.now() - begun) / 1000);
  expect(perSecond).toBeGreaterThan(4_000_000);
});

test("informational answers reach the client", async () => {
  const fixture = await useProxy();
  const app = createServer((_request, response) =>
    response.writeEarlyHints({ link: "</a.css>" }, () => response.end("x")),
  );
  app.on("checkContinue", (request, response) => {
    response.writeContinue();
    request.pipe(response);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const session = useSession(fixture);
  const hinted = session.request({ "x-aws-proxy-auth": await fixture.token() });
  const hints = vi.fn<(headers: unknown) => void>();
  hinted.on("headers", hints);
  expect((await answerOf(hinted)).body).toBe("x");
  expect(hints).toHaveBeenCalledWith(
    expect.objectContaining({ ":status": 103, link: "</a.css>" }),
    expect.anything(),
    expect.anything(),
  );
  const continued = session.request({
    ":method": "PUT",
    expect: "100-continue",
    "x-aws-proxy-auth": await fixture.token(),
  });
  continued.once("continue", () => continued.end("four"));
  expect((await answerOf(continued)).body).toBe("four");
});

/** A TCP road with a delay each way, as between continents. */
async function useSlowRoad(port: number, delayMs: number): Promise<number> {
  const road = createNetServer((near) => {
    const far = createConnection({ host: "127.0.0.1", port, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
      from.on("data", (chunk: Buffer) => void setTimeout(() => to.destroyed || to.write(chunk), delayMs));
    }
  });
  return await useServer(road);
}

test("a client that does not read holds the application back", async () => {
  let written = 0;
  const fixture = await useProxy();
  const app = createServer((_request, response) => {
    const fill = (): void => {
      while (written < 400 && !response.destroyed) {
        written++;
        if (!response.write(Buffer.alloc(MIB))) return void response.once("drain", fill);
      }
    };
    fill();
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const stream = useSession(fixture).request({ "x-aws-proxy-auth": await fixture.token() });
  await new Promise((resolve) => stream.once("response", resolve));
  await isSteady(() => written);
  expect(written).toBeLessThan(60);
});

test("many uploads at once get narrower windows, and all arrive", { timeout: 60_000 }, async () => {
  const fixture = await useEcho();
  const session = useSession(fixture);
  const windows: unknown[] = [];
  session.on("remoteSettings", ({ initialWindowSize }) => windows.push(initialWindowSize));
  const body = randomBytes(MIB).toString("hex");
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => ask(fixture, session, { ":method": "POST" }, body)),
  );
  expect(answers.every((answer) => answer.body === body)).toBe(true);
  await vi.waitFor(() => expect(windows).toEqual([4 * MIB, MIB / 4, 4 * MIB]));
});

/** Resolves once a number has stopped growing. */
async function isSteady(read: () => number): Promise<void> {
  await vi.waitFor(async () => {
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(read()).toBe(before);
    expect(before).toBeGreaterThan(0);
  }, 20_000);
}
