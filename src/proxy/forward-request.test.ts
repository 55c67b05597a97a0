import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test, vi } from "vitest";
import { answerOf, type ProxyFixture, responseOf, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const MIB = 1024 * 1024;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function useApp(handler: Handler): Promise<ProxyFixture> {
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useServer(createServer(handler)));
  return fixture;
}

/** A raw application that answers each connection's first bytes with `text`. */
async function useAnswer(text: string, after: (socket: Socket) => void = () => {}): Promise<ProxyFixture> {
  const fixture = await useProxy();
  const app = await useRawApp((socket) => socket.once("data", () => socket.write(text, "latin1", () => after(socket))));
  fixture.microvm.ports.set(8080, app);
  return fixture;
}

async function open(fixture: ProxyFixture, options: RequestOptions = {}) {
  const { host } = fixture.microvm;
  const { headers, ...rest } = options;
  const request = httpsRequest({
    host: "127.0.0.1",
    port: fixture.port,
    servername: host,
    ca: fixture.certificates.rootPem,
    headers: { host, "x-aws-proxy-auth": await fixture.token(), ...headers },
    ...rest,
  });
  onTestFinished(() => void request.destroy());
  request.on("error", () => {});
  return request;
}

test("the application sees the request as sent, less what is the proxy's, plus a request id", async () => {
  const fixture = await useApp((request, response) =>
    response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders, peer: request.socket.remoteAddress })),
  );
  const answer = await fixture.send({
    path: "/a/../b?c=%20d&e",
    headers: {
      "X-Aws-Proxy-Port": "8080",
      "x-aws-proxy-force-h2": "false",
      "x-aws-proxy-unknown": "1",
      traceparent: "00-1",
      Cookie: "a=b; c=d",
      connection: "keep-alive, x-hop",
      "x-hop": "1",
      "proxy-authorization": "secret",
      te: "trailers",
      "x-amzn-requestid": "mine",
      "X-CaSe": "kept",
    },
  });
  const { url, raw, peer } = JSON.parse(answer.body) as { url: string; raw: string[]; peer: string };
  expect(url).toBe("/a/../b?c=%20d&e");
  expect(peer).toBe("127.0.0.1");
  expect(raw).toEqual([
    "host",
    fixture.microvm.host,
    "traceparent",
    "00-1",
    "Cookie",
    "a=b; c=d",
    "X-CaSe",
    "kept",
    "TE",
    "trailers",
    "Connection",
    "keep-alive",
    "x-amzn-requestid",
    answer.headers["x-amzn-requestid"],
  ]);
});

test("the client sees the response as sent, repeated headers included", async () => {
  const fixture = await useAnswer(
    "HTTP/1.1 299 Odd Reason\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Amzn-RequestId: forged\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\nConnection: X-Hop\r\nX-Caf\xe9: \xe9\r\nContent-Length: 2\r\n\r\nok".replace(
      "X-Caf\xe9",
      "X-Cafe",
    ),
  );
  const response = await responseOf((await open(fixture)).end());
  expect(response.statusCode).toBe(299);
  expect(response.statusMessage).toBe("Odd Reason");
  expect(response.headers).toMatchObject({ "set-cookie": ["a=1", "b=2"], "x-cafe": "\xe9" });
  expect(response.headers["x-hop"]).toBeUndefined();
  expect(response.headers["x-amzn-requestid"]).toMatch(/^[0-9a-f-]{36}$/);
  expect((await answerOf(response)).body).toBe("ok");
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
  "%s without a body stays without one",
  async (method) => {
    const fixture = await useApp((request, response) => {
      request
        .resume()
        .once("end", () =>
          response.end(
            `${request.method} ${request.headers["transfer-encoding"]} ${request.headers["content-length"] ?? 0}`,
          ),
        );
    });
    expect((await fixture.send({ method })).body).toBe(`${method} undefined 0`);
  },
);

test("bodies keep their framing, on any method", async () => {
  const fixture = await useApp((request, response) => {
    response.write(`${request.headers["content-length"]} ${request.headers["transfer-encoding"]} `);
    request.pipe(response);
  });
  expect((await fixture.send({ method: "POST", body: "four", headers: { "content-length": "4" } })).body).toBe(
    "4 undefined four",
  );
  expect((await fixture.send({ method: "POST", body: "four", headers: { "transfer-encoding": "chunked" } })).body).toBe(
    "undefined chunked four",
  );
  expect((await fixture.send({ method: "DELETE", body: "four", headers: { "content-length": "4" } })).body).toBe(
    "4 undefined four",
  );
  expect((await fixture.send({ method: "GET", body: "four", headers: { "transfer-encoding": "chunked" } })).body).toBe(
    "undefined chunked four",
  );
});

test("trailers pass in both directions", async () => {
  const fixture = await useApp((request, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    request.resume().once("end", () => {
      response.write("body");
      response.addTrailers({ "x-sum": `got ${request.trailers["x-up"]} ${request.trailers["x-aws-proxy-auth"]}` });
      response.end();
    });
  });
  const request = await open(fixture, { method: "POST", headers: { "transfer-encoding": "chunked", trailer: "x-up" } });
  request.write("some");
  request.addTrailers({ "x-up": "1", "x-aws-proxy-auth": "leak" });
  request.end();
  const answer = await answerOf(await responseOf(request));
  expect(answer).toMatchObject({
    body: "body",
    headers: { trailer: "x-sum" },
    trailers: { "x-sum": "got 1 undefined" },
  });
});

test("HEAD, 204 and 304 have no body, and the connection goes on", async () => {
  const fixture = await useApp((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 200 ? { "content-length": "1000" } : {});
    response.end(request.method === "HEAD" || status !== 200 ? undefined : "x".repeat(1000));
  });
  const head = await fixture.send({ method: "HEAD", path: "/200" });
  expect(head).toMatchObject({ status: 200, body: "", headers: { "content-length": "1000" } });
  expect(await fixture.send({ path: "/204" })).toMatchObject({ status: 204, body: "" });
  expect(await fixture.send({ path: "/304" })).toMatchObject({ status: 304, body: "" });
  expect((await fixture.send({ path: "/200" })).body).toHaveLength(1000);
  expect(fixture.microvm.relays).toBe(1);
});

test("a body that ends with the connection is passed on whole", async () => {
  const fixture = await useAnswer("HTTP/1.0 200 OK\r\n\r\nuntil the end", (socket) => socket.end());
  expect(await fixture.send()).toMatchObject({ status: 200, body: "until the end" });
});

test("Expect: 100-continue is the application's to answer", async () => {
  const seen: string[] = [];
  const app = createServer().on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    seen.push(String(request.headers.expect));
    if (request.url === "/no") return void response.writeHead(417, { connection: "close" }).end("no");
    response.writeContinue();
    request.pipe(response);
  });
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useServer(app));
  const headers = { expect: "100-continue", "content-length": "4" };
  const yes = await open(fixture, { method: "PUT", path: "/yes", headers });
  yes.once("continue", () => yes.end("four"));
  yes.flushHeaders();
  expect((await answerOf(await responseOf(yes))).body).toBe("four");
  const no = await open(fixture, { method: "PUT", path: "/no", headers });
  no.flushHeaders();
  expect((await responseOf(no)).statusCode).toBe(417);
  expect(seen).toEqual(["100-continue", "100-continue"]);
});

test("early hints reach the client", async () => {
  const fixture = await useApp((_request, response) =>
    response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end("done")),
  );
  const request = (await open(fixture)).end();
  const hints = vi.fn<(status: number, link: unknown) => void>();
  request.on("information", ({ statusCode, headers }) => hints(statusCode, headers.link));
  expect((await answerOf(await responseOf(request))).body).toBe("done");
  expect(hints).toHaveBeenCalledWith(103, "</a.css>; rel=preload");
});

test("a head is passed on before there is a body, and each event as it comes", async () => {
  let app: ServerResponse | undefined;
  const fixture = await useApp((_request, response) => {
    app = response;
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  });
  const response = await responseOf((await open(fixture)).end());
  expect(response.headers["content-type"]).toBe("text/event-stream");
  const events = response[Symbol.asyncIterator]();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    app?.write(event);
    expect(String((await events.next()).value)).toBe(event);
  }
});

test("150 MB up and down arrive unchanged, without being held in memory", { timeout: 120_000 }, async () => {
  const fixture = await useApp((request, response) => request.pipe(response));
  const chunk = randomBytes(MIB);
  const request = await open(fixture, { method: "POST" });
  const sent = createHash("sha256");
  const received = createHash("sha256");
  const before = liveBufferBytes();
  let peak = 0;
  let parts = 0;
  const upload = (async () => {
    for (let i = 0; i < 150; i++) {
      sent.update(chunk);
      if (!request.write(chunk)) await new Promise((resolve) => request.once("drain", resolve));
    }
    request.end();
  })();
  const response = await responseOf(request);
  for await (const part of response) {
    received.update(part as Buffer);
    if (++parts % 100 === 0) peak = Math.max(peak, liveBufferBytes() - before);
  }
  await upload;
  expect(received.digest("hex")).toBe(sent.digest("hex"));
  expect(peak).toBeGreaterThan(0);
  expect(peak).toBeLessThan(50 * MIB);
});

test("a client that does not read holds the application back", async () => {
  let written = 0;
  const fixture = await useApp((_request, response) => {
    const chunk = Buffer.alloc(MIB);
    const fill = (): void => {
      while (written < 400 && !response.destroyed) {
        written++;
        if (!response.write(chunk)) return void response.once("drain", fill);
      }
    };
    fill();
  });
  const response = await responseOf((await open(fixture)).end());
  response.pause();
  await isSteady(() => written);
  expect(written).toBeLessThan(60);
});

test("an application that does not read holds the client back", async () => {
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useRawApp((socket) => void socket.pause()));
  const request = await open(fixture, { method: "POST" });
  let written = 0;
  const chunk = Buffer.alloc(MIB);
  const fill = (): void => {
    while (written < 400 && !request.destroyed) {
      written++;
      if (!request.write(chunk)) return void request.once("drain", fill);
    }
  };
  fill();
  await isSteady(() => written);
  expect(written).toBeLessThan(60);
});

test("a client that leaves ends the application's request", async () => {
  const gone = vi.fn<() => void>();
  const fixture = await useApp((_request, response) => {
    response.once("close", gone);
    response.write("x");
  });
  const request = (await open(fixture)).end();
  await responseOf(request);
  expect(gone).not.toHaveBeenCalled();
  request.destroy();
  await vi.waitFor(() => expect(gone).toHaveBeenCalledOnce());
});

test("a client that leaves in the middle of an upload ends the application's request", async () => {
  const aborted = vi.fn<() => void>();
  const fixture = await useApp((request) => void request.once("error", aborted).resume());
  const request = await open(fixture, { method: "POST" });
  request.write("x");
  await vi.waitFor(() => expect(fixture.microvm.relays).toBe(1));
  request.destroy();
  await vi.waitFor(() => expect(aborted).toHaveBeenCalledOnce());
});

test.each([
  ["a sized body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"],
  ["a chunked body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"],
])("an application that breaks off %s cuts the client", async (_what, text) => {
  const fixture = await useAnswer(text, (socket) => socket.destroy());
  await expect(fixture.send()).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

test.each([
  ["nothing", ""],
  ["half a head", "HTTP/1.1 200 OK\r\nX: "],
  ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["both framings", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a folded header", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"],
  ["a header of 70 KiB", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(70 * 1024)}\r\n\r\n`],
  ["headers without an end", `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(20_000)}`],
  ["an uninvited upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"],
])("an application that answers %s is a 502", async (_what, text) => {
  const fixture = await useAnswer(text, (socket) => socket.end());
  const answer = await fixture.send({ method: "POST", body: "x" });
  expect(answer.status).toBe(502);
  expect(answer.headers["x-amzn-requestid"]).toBeDefined();
});

test("an early answer to an upload arrives, and the rest of the upload is not waited for", async () => {
  const fixture = await useAnswer(
    "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
    (socket) => socket.end(),
  );
  const request = await open(fixture, { method: "POST" });
  request.write(Buffer.alloc(1000));
  expect(await answerOf(await responseOf(request))).toMatchObject({ status: 413, body: "big" });
  await vi.waitFor(() => expect(request.destroyed || request.socket?.destroyed).toBe(true), 10_000);
});

test("an idle connection that the application closed is not used again", async () => {
  const fixture = await useApp((_request, response) => response.end("ok"));
  await fixture.send();
  fixture.microvm.streams[0]?.once("end", () => {});
  fixture.microvm.streams[0]?.destroy();
  expect((await fixture.send({ method: "POST", body: "x" })).status).toBe(200);
  expect(fixture.microvm.relays).toBe(2);
});

test("a repeatable request goes out again when its pooled connection turns out dead", async () => {
  let connections = 0;
  const fixture = await useProxy();
  const app = await useRawApp((socket) => {
    const isFirst = ++connections === 1;
    let requests = 0;
    socket.on("data", () => {
      if (isFirst && ++requests === 2) return void socket.destroy();
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${connections}`);
    });
  });
  fixture.microvm.ports.set(8080, app);
  expect((await fixture.send()).body).toBe("1");
  expect((await fixture.send()).body).toBe("2");
});

test("a request that may not be repeated is not", async () => {
  let requests = 0;
  const fixture = await useProxy();
  const app = await useRawApp((socket) =>
    socket.on("data", () =>
      ++requests === 2 ? socket.destroy() : socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
    ),
  );
  fixture.microvm.ports.set(8080, app);
  expect((await fixture.send()).body).toBe("1");
  expect((await fixture.send({ method: "POST" })).status).toBe(502);
  expect(requests).toBe(2);
});

test("bytes that an application sends unasked do not answer the next request", async () => {
  let connections = 0;
  const fixture = await useProxy();
  const unasked = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
  const app = await useRawApp((socket) => {
    connections++;
    socket.on("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", () => socket.write(unasked));
    });
  });
  fixture.microvm.ports.set(8080, app);
  expect((await fixture.send()).body).toBe("ok");
  await vi.waitFor(() => expect(fixture.microvm.streams[0]?.destroyed).toBe(true));
  expect((await fixture.send()).body).toBe("ok");
  expect(connections).toBe(2);
});

/** Bytes of buffers still in use, garbage left out: client, proxy and application together. */
function liveBufferBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().arrayBuffers;
}

/** Resolves once a number has stopped growing. */
async function isSteady(read: () => number): Promise<void> {
  let last = -1;
  await vi.waitFor(
    () => {
      const now = read();
      const isSame = now === last && now > 0;
      last = now;
      expect(isSame).toBe(true);
    },
    { timeout: 20_000, interval: 300 },
  );
}
