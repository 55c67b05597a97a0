import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { Agent as UndiciAgent, WebSocket } from "undici";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ProxyFixture, readAll, useProxy, useServer } from "./proxy-fixture.ts";

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

async function useUpgradeApp(onUpgrade: OnUpgrade): Promise<ProxyFixture> {
  const fixture = await useProxy();
  const app = createServer((_request, response) => response.end("plain"));
  app.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {}).on("end", () => socket.end());
    onUpgrade(request, socket, head);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  return fixture;
}

/** Accepts a WebSocket and echoes frames: unmasks each payload and sends it back. Payloads are below 64 KiB. */
function acceptWebSocket(request: IncomingMessage, socket: Duplex, protocol?: string): void {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  const chosen = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`,
  );
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const short = (pending[1] ?? 0) & 0x7f;
      const start = short === 126 ? 4 : 2;
      if (pending.length < start) return;
      const length = short === 126 ? pending.readUInt16BE(2) : short;
      if (pending.length < start + 4 + length) return;
      const mask = pending.subarray(start, start + 4);
      const payload = pending.subarray(start + 4, start + 4 + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
      const head =
        short === 126
          ? Buffer.from([pending[0] ?? 0, 126, length >> 8, length & 255])
          : Buffer.from([pending[0] ?? 0, length]);
      socket.write(Buffer.concat([head, payload]));
      pending = pending.subarray(start + 4 + length);
    }
  });
}

function connectWebSocket(fixture: ProxyFixture, protocols: string[], headers: Record<string, string> = {}): WebSocket {
  const { host } = fixture.microvm;
  const dispatcher = new UndiciAgent({
    connect: { ca: fixture.certificates.rootPem, host: "127.0.0.1", servername: host },
  });
  onTestFinished(() => dispatcher.destroy());
  const socket = new WebSocket(`wss://${host}:${fixture.port}/chat`, { protocols, headers, dispatcher });
  onTestFinished(() => socket.close());
  return socket;
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("no connection")));
  });
}

function nextMessage(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve) => socket.addEventListener("message", (event) => resolve(event.data), { once: true }));
}

/** Sends a raw handshake and returns the connection. */
async function handshake(fixture: ProxyFixture, lines: string[], after = ""): Promise<TLSSocket> {
  const socket = await fixture.tls();
  const head = [
    "GET /x HTTP/1.1",
    `Host: ${fixture.microvm.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw==",
    ...lines,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${after}`);
  return socket;
}

test("a WebSocket authenticates by subprotocol, and text and binary frames pass", async () => {
  let offered: string | undefined;
  const fixture = await useUpgradeApp((request, socket) => {
    offered = request.rawHeaders.join("|");
    acceptWebSocket(request, socket);
  });
  const token = await fixture.token();
  const socket = connectWebSocket(fixture, [
    `lambda-microvms.authentication.${token}`,
    "lambda-microvms",
    "lambda-microvms.port.8080",
  ]);
  await opened(socket);
  expect(socket.protocol).toBe("lambda-microvms");
  expect(offered).not.toMatch(/lambda-microvms\.|sec-websocket-protocol|x-aws-proxy/i);
  expect(offered).toMatch(/x-amzn-requestid/);
  socket.send("héllo");
  expect(await nextMessage(socket)).toBe("héllo");
  socket.binaryType = "arraybuffer";
  const bytes = new Uint8Array(50_000).map((_, i) => i);
  socket.send(bytes);
  expect(new Uint8Array((await nextMessage(socket)) as ArrayBuffer)).toEqual(bytes);
});

test("headers authenticate an upgrade too, and then no marker is needed", async () => {
  const fixture = await useUpgradeApp((request, socket) => acceptWebSocket(request, socket));
  const socket = connectWebSocket(fixture, [], { "x-aws-proxy-auth": await fixture.token() });
  await opened(socket);
  expect(socket.protocol).toBe("");
});

test("the application's own subprotocols reach it, and its choice wins", async () => {
  let offered: string | undefined;
  const fixture = await useUpgradeApp((request, socket) => {
    offered = request.headers["sec-websocket-protocol"];
    acceptWebSocket(request, socket, "graphql-ws");
  });
  const token = await fixture.token();
  const socket = connectWebSocket(fixture, [
    "graphql-ws",
    "lambda-microvms",
    `lambda-microvms.authentication.${token}`,
    "soap",
  ]);
  await opened(socket);
  expect(offered).toBe("graphql-ws, soap");
  expect(socket.protocol).toBe("graphql-ws");
});

test("the port comes from the header, then from the subprotocol", async () => {
  const fixture = await useUpgradeApp(() => {});
  const answers = async (port: string): Promise<number> =>
    useServer(
      createServer().on("upgrade", (_r, s) => void s.end(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${port}`)),
    );
  fixture.microvm.ports.set(3000, await answers("3000"));
  fixture.microvm.ports.set(4000, await answers("4000"));
  const protocols = `Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.port.3000`;
  const auth = `X-aws-proxy-auth: ${await fixture.token()}`;
  expect(await readAll(await handshake(fixture, [auth, protocols]))).toMatch(/3000$/);
  expect(await readAll(await handshake(fixture, [auth, protocols, "X-aws-proxy-port: 4000"]))).toMatch(/4000$/);
});

test.each<[string, (token: string) => string[], string, string]>([
  ["no token", () => [], "403", "Request missing authentication"],
  [
    "no marker",
    (token) => [`Sec-WebSocket-Protocol: lambda-microvms.authentication.${token}`],
    "400",
    "marker|lambda-microvms is missing",
  ],
  [
    "a bad token",
    () => ["Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication.x"],
    "403",
    "Request missing authentication",
  ],
  [
    "two tokens",
    (token) => [
      `Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication.${token}, lambda-microvms.authentication.${token}`,
    ],
    "400",
    "several",
  ],
  [
    "a bad port",
    (token) => [
      `Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication.${token}, lambda-microvms.port.x`,
    ],
    "400",
    "port",
  ],
  [
    "two ports",
    (token) => [
      `Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication.${token}, lambda-microvms.port.1, lambda-microvms.port.2`,
    ],
    "400",
    "several",
  ],
  [
    "a closed port",
    (token) => [
      `Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication.${token}, lambda-microvms.port.81`,
    ],
    "502",
    "Nothing listens",
  ],
])("a handshake with %s is refused", async (_what, lines, status, text) => {
  const fixture = await useUpgradeApp(() => {});
  const answer = await readAll(await handshake(fixture, lines(await fixture.token())));
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/x-amzn-requestid: /);
  expect(answer).toMatch(new RegExp(text));
  expect(answer).toMatch(/connection: close/i);
});

test("the subprotocol token works on upgrades only", async () => {
  const fixture = await useUpgradeApp(() => {});
  const protocol = `lambda-microvms, lambda-microvms.authentication.${await fixture.token()}`;
  expect((await fixture.send({ token: null, headers: { "sec-websocket-protocol": protocol } })).status).toBe(403);
  const asPlain = await fixture.send({
    token: null,
    headers: { "sec-websocket-protocol": protocol, "sec-websocket-key": "x" },
  });
  expect(asPlain.status).toBe(400);
});

test("an application that declines the upgrade answers as it likes, and early bytes never reach it", async () => {
  const got: string[] = [];
  const fixture = await useUpgradeApp((_request, socket, head) => {
    got.push(head.toString());
    socket.on("data", (chunk: Buffer) => got.push(chunk.toString()));
    socket.write(`HTTP/1.1 401 Unauthorized\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`);
  });
  const auth = `X-aws-proxy-auth: ${await fixture.token()}`;
  const answer = await readAll(await handshake(fixture, [auth], "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"));
  expect(answer).toMatch(/^HTTP\/1.1 401 Unauthorized/);
  expect(answer).toHaveLength(answer.indexOf("\r\n\r\n") + 4 + 300_000);
  expect(got.join("")).toBe("");
});

test("other protocols pass as raw bytes, early bytes after the application agreed", async () => {
  const fixture = await useUpgradeApp((request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n\r\nhello `,
    );
    socket.pipe(socket);
  });
  const socket = await fixture.tls();
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\nearly `,
  );
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await vi.waitFor(() => expect(text).toMatch(/\r\n\r\nhello early $/));
  socket.write("late");
  await vi.waitFor(() => expect(text).toMatch(/hello early late$/));
  socket.end();
  await vi.waitFor(() => expect(socket.destroyed).toBe(true));
  expect(text).toMatch(/\r\nUpgrade: tcp\r\n/);
});

test("an upgrade to cleartext HTTP/2 is an ordinary request", async () => {
  const fixture = await useUpgradeApp(() => {});
  const socket = await fixture.tls();
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
  );
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 OK[^]*plain/);
});

test("both ends of a WebSocket end together, and with the microVM's life", async () => {
  let appSocket: Duplex | undefined;
  const fixture = await useUpgradeApp((request, socket) => {
    appSocket = socket;
    acceptWebSocket(request, socket);
  });
  const auth = `X-aws-proxy-auth: ${await fixture.token()}`;
  const byClient = await handshake(fixture, [auth]);
  await vi.waitFor(() => expect(appSocket).toBeDefined());
  const firstApp = appSocket;
  byClient.once("data", () => byClient.destroy());
  await vi.waitFor(() => expect(firstApp?.destroyed).toBe(true));

  const byApp = await handshake(fixture, [auth]);
  byApp.once("data", () => appSocket?.destroy());
  byApp.on("error", () => {});
  await vi.waitFor(() => expect(byApp.destroyed).toBe(true));

  const byLife = await handshake(fixture, [auth]);
  byLife.once("data", () => fixture.microvm.goDown());
  byLife.on("error", () => {});
  await vi.waitFor(() => expect(byLife.destroyed).toBe(true));
});

test("an upgrade reports its bytes and wakes its microVM", async () => {
  const fixture = await useUpgradeApp((request, socket) => acceptWebSocket(request, socket));
  const socket = connectWebSocket(fixture, [], { "x-aws-proxy-auth": await fixture.token() });
  await opened(socket);
  expect(fixture.microvm.wakes).toBe(1);
  const before = fixture.microvm.touches;
  await vi.waitFor(
    async () => {
      socket.send("x");
      await nextMessage(socket);
      expect(fixture.microvm.touches).toBeGreaterThan(before);
    },
    { timeout: 10_000 },
  );
});
