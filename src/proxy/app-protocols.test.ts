import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createSecureServer, createServer as createH2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { createConnection } from "node:net";
import { join } from "node:path";
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ProxyFixture, useDirectory, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const FORCE_H2 = { "x-aws-proxy-force-h2": "true" };

/** A certificate of the application's own, which nobody signed. */
async function useOwnCertificate(): Promise<{ key: Buffer; cert: Buffer }> {
  const directory = await useDirectory();
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=app"];
  execFileSync("openssl", ["req", "-x509", ...options, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

const echo: RequestListener = (request, response) => {
  response.setHeader("x-version", request.httpVersion);
  request.pipe(response);
};

async function useTlsApp(protocols: string[]): Promise<{ fixture: ProxyFixture; connections: () => number }> {
  const fixture = await useProxy();
  const own = await useOwnCertificate();
  let connections = 0;
  const app = protocols.includes("h2")
    ? createSecureServer({ ...own, allowHTTP1: protocols.includes("http/1.1") }, echo as never)
    : createHttpsServer(own, echo);
  app.on("connection", () => connections++);
  fixture.microvm.ports.set(8080, await useServer(app));
  return { fixture, connections: () => connections };
}

test.each([
  ["HTTP/1.1", ["http/1.1"], "1.1"],
  ["HTTP/2", ["h2"], "2.0"],
  ["both", ["h2", "http/1.1"], "2.0"],
])("an application that speaks TLS with %s is found out once", async (_what, protocols, version) => {
  const { fixture, connections } = await useTlsApp(protocols);
  const first = await fixture.send({ method: "POST", body: "hello" });
  expect(first).toMatchObject({ status: 200, body: "hello", headers: { "x-version": version } });
  const before = connections();
  expect(await fixture.send({ method: "POST", body: "again" })).toMatchObject({ status: 200, body: "again" });
  expect(connections() - before).toBeLessThanOrEqual(1);
  fixture.microvm.goDown();
  const asleep = connections();
  expect(await fixture.send()).toMatchObject({ status: 200 });
  expect(connections() - asleep).toBe(1);
});

test("a body of any size survives the finding out", async () => {
  const { fixture } = await useTlsApp(["http/1.1"]);
  const body = "x".repeat(50_000);
  expect((await fixture.send({ method: "POST", body })).body).toBe(body);
});

test.each([
  [
    "nginx",
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 48\r\n\r\nThe plain HTTP request was sent to HTTPS port...",
  ],
  ["Go", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"],
])("an application that answers plain HTTP as %s does behind TLS is spoken to in TLS", async (_what, refusal) => {
  const fixture = await useProxy();
  const tls = await useServer(createHttpsServer(await useOwnCertificate(), echo));
  const front = await useRawApp((socket) =>
    socket.once("data", (first: Buffer) => {
      if (first[0] !== 0x16) return void socket.end(refusal);
      const inner = createConnection(tls, "127.0.0.1");
      inner.write(first);
      socket.pipe(inner).pipe(socket);
    }),
  );
  fixture.microvm.ports.set(8080, front);
  expect(await fixture.send({ method: "POST", body: "hello" })).toMatchObject({ status: 200, body: "hello" });
});

test("a plain application's own 400 arrives, whatever it speaks of, and is asked for once", async () => {
  const fixture = await useProxy();
  const seen = vi.fn<(body: string) => void>();
  const app = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.once("end", () => {
      seen(body);
      response.writeHead(400, { "x-own": "yes" }).end("redirect_uri has to be https");
    });
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const answer = await fixture.send({ method: "POST", body: "once" });
  expect(answer).toMatchObject({ status: 400, body: "redirect_uri has to be https", headers: { "x-own": "yes" } });
  expect(seen.mock.calls).toEqual([["once"]]);
});

test("an application that closes every connection is asked for TLS once, then not again", async () => {
  const fixture = await useProxy();
  const first: number[] = [];
  const app = await useRawApp((socket) =>
    socket.once("data", (bytes: Buffer) => {
      first.push(bytes[0] ?? 0);
      socket.destroy();
    }),
  );
  fixture.microvm.ports.set(8080, app);
  for (let i = 0; i < 3; i++) expect((await fixture.send()).status).toBe(502);
  expect(first.filter((byte) => byte === 0x16)).toHaveLength(1);
});

test("force-h2 speaks HTTP/2 without TLS; an application that knows only HTTP/1.1 is a 502", async () => {
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useServer(createH2Server(echo as never)));
  fixture.microvm.ports.set(81, await useServer(createServer(echo)));
  expect(await fixture.send({ method: "POST", body: "hello", headers: FORCE_H2 })).toMatchObject({
    status: 200,
    body: "hello",
    headers: { "x-version": "2.0" },
  });
  expect(fixture.microvm.relays).toBe(1);
  await fixture.send({ headers: FORCE_H2 });
  expect(fixture.microvm.relays).toBe(1);
  expect((await fixture.send({ headers: { ...FORCE_H2, "x-aws-proxy-port": "81" } })).status).toBe(502);
  expect((await fixture.send({ headers: { "x-aws-proxy-port": "81" } })).status).toBe(200);
});

test("an HTTP/2 application that resets, or goes away in the middle, is a 502 or a cut", async () => {
  const fixture = await useProxy();
  const app = createH2Server();
  app.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/reset") return stream.close(2);
    stream.respond({ ":status": 200 });
    stream.write("some", () => stream.session?.destroy());
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  expect((await fixture.send({ path: "/reset", headers: FORCE_H2 })).status).toBe(502);
  await expect(fixture.send({ path: "/gone", headers: FORCE_H2 })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

/** An echo service over real gRPC. */
async function useGrpc(): Promise<{ client: Client; fixture: ProxyFixture; metadata: Metadata }> {
  const fixture = await useProxy();
  const server = new Server();
  const bytes = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    {
      unary: { path: "/echo/unary", requestStream: false, responseStream: false, ...bytes },
      fail: { path: "/echo/fail", requestStream: false, responseStream: false, ...bytes },
      chat: { path: "/echo/chat", requestStream: true, responseStream: true, ...bytes },
    },
    {
      unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request),
      fail: (_call: unknown, done: sendUnaryData<Buffer>) => done({ code: status.NOT_FOUND, details: "nothing here" }),
      chat: (call: NodeJS.ReadWriteStream) => call.pipe(call),
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  fixture.microvm.ports.set(50051, port);
  const client = new Client(
    `127.0.0.1:${fixture.port}`,
    credentials.createSsl(Buffer.from(fixture.certificates.rootPem)),
    {
      "grpc.ssl_target_name_override": fixture.microvm.host,
      "grpc.default_authority": fixture.microvm.host,
    },
  );
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  const metadata = new Metadata();
  metadata.set("x-aws-proxy-auth", await fixture.token());
  metadata.set("x-aws-proxy-port", "50051");
  metadata.set("x-aws-proxy-force-h2", "true");
  return { client, fixture, metadata };
}

test("gRPC calls pass: unary, both streams at once, and an error in trailers alone", async () => {
  const { client, metadata } = await useGrpc();
  const unary = (path: string): Promise<Buffer> =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from("hello"), metadata, (error, answer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      ),
    );
  expect(String(await unary("/echo/unary"))).toBe("hello");
  await expect(unary("/echo/fail")).rejects.toMatchObject({ code: status.NOT_FOUND, details: "nothing here" });
  const chat = client.makeBidiStreamRequest("/echo/chat", asIs, asIs, metadata);
  for (const word of ["one", "two", "three"]) {
    chat.write(Buffer.from(word));
    expect(String(await new Promise((resolve) => chat.once("data", resolve)))).toBe(word);
  }
  chat.end();
  expect(await new Promise((resolve) => chat.once("status", resolve))).toMatchObject({ code: status.OK });
});

test("gRPC without a token is denied as HTTP 403", async () => {
  const { client } = await useGrpc();
  const error = await new Promise<ServiceError | null>((resolve) =>
    client.makeUnaryRequest("/echo/unary", asIs, asIs, Buffer.from("x"), new Metadata(), resolve),
  );
  expect(error).toMatchObject({ code: status.PERMISSION_DENIED });
});

test("a WebSocket reaches an application behind TLS", async () => {
  const fixture = await useProxy();
  const app = createHttpsServer(await useOwnCertificate());
  app.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhi ");
    socket.pipe(socket);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const client = await fixture.tls();
  let text = "";
  client.on("data", (chunk: Buffer) => (text += chunk.toString()));
  client.write(
    `GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nthere`,
  );
  await vi.waitFor(() => expect(text).toMatch(/^HTTP\/1.1 101 [^]*\r\n\r\nhi there$/), 10_000);
});

function asIs(value: Buffer): Buffer {
  return value;
}
