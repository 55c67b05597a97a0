import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { expect, test, vi } from "vitest";
import { frame } from "./h2-raw-client-fixture.ts";
import { type ProxyFixture, readAll, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const MIB = 2 ** 20;
const AGREED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/** A microVM whose application agrees to any upgrade, and another one that does nothing but answer. */
async function useUpgradeApp(onUpgraded: (socket: Socket) => void) {
  const fixture = await useProxy();
  const port = await useRawApp((socket) =>
    socket.once("data", () => {
      socket.write(AGREED);
      onUpgraded(socket);
    }),
  );
  fixture.microvm.ports.set(8080, port);
  const neighbour = fixture.addMicrovm();
  neighbour.ports.set(8080, await useServer(createServer((_request, response) => response.end("well"))));
  return { fixture, neighbourAnswers: async () => (await fixture.send({ to: neighbour })).body };
}

async function upgrade(fixture: ProxyFixture, lines: readonly string[]): Promise<TLSSocket> {
  const socket = await fixture.tls();
  const head = ["GET / HTTP/1.1", `Host: ${fixture.microvm.host}`, "Connection: Upgrade", "Upgrade: websocket"];
  socket.write(`${[...head, "Sec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw==", ...lines].join("\r\n")}\r\n\r\n`);
  return socket;
}

test("bytes that are no WebSocket frames are the application's to judge, and nobody else notices", async () => {
  let heard = Buffer.alloc(0);
  const { fixture, neighbourAnswers } = await useUpgradeApp((socket) =>
    socket.on("data", (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length === MIB) socket.destroy();
    }),
  );
  const garbage = randomBytes(MIB);
  const socket = await upgrade(fixture, [`X-aws-proxy-auth: ${await fixture.token()}`]);
  const answer = readAll(socket);
  socket.write(garbage);
  expect(await answer).toMatch(/^HTTP\/1.1 101 /); // and then the application's end is the client's
  expect(heard.equals(garbage)).toBe(true);
  expect(await neighbourAnswers()).toBe("well");
});

test("an application that floods a WebSocket which nobody reads is held back", async () => {
  let taken = 0;
  const { fixture, neighbourAnswers } = await useUpgradeApp((socket) => {
    const flood = (): void => {
      while (taken < 500 && !socket.destroyed) {
        taken++;
        if (!socket.write(Buffer.alloc(MIB, 0xff))) return void socket.once("drain", flood);
      }
    };
    flood();
  });
  const socket = await upgrade(fixture, [`X-aws-proxy-auth: ${await fixture.token()}`]);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  let before = -1;
  await vi.waitFor(
    () => {
      const isSteady = taken === before;
      before = taken;
      expect(isSteady).toBe(true);
    },
    { timeout: 20_000, interval: 500 },
  );
  expect(taken).toBeLessThan(100);
  expect(await neighbourAnswers()).toBe("well");
});

test.each<[string, string[], number]>([
  ["a token of 20 kB", [`lambda-microvms, lambda-microvms.authentication.${"a".repeat(20_000)}`], 403],
  ["a token of 40 kB", [`lambda-microvms, lambda-microvms.authentication.${"a".repeat(40_000)}`], 431],
  ["a thousand ports", [`lambda-microvms, ${"lambda-microvms.port.80, ".repeat(1000)}x`], 400],
  ["a thousand fields", Array.from({ length: 1000 }, () => "lambda-microvms"), 431],
  ["a port beyond all numbers", [`lambda-microvms, lambda-microvms.port.${"9".repeat(5000)}`], 400],
])("%s among the subprotocols is refused, and wakes nothing", async (_what, fields, status) => {
  const { fixture, neighbourAnswers } = await useUpgradeApp(() => {});
  const socket = await upgrade(
    fixture,
    fields.map((field) => `Sec-WebSocket-Protocol: ${field}`),
  );
  expect(await readAll(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(fixture.microvm.wakes).toBe(0);
  expect(await neighbourAnswers()).toBe("well");
});

const PREFACE_BYTES = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;

const SETTINGS = frame(4, 0, 0, Buffer.alloc(0));
/** A field that is not indexed, name and value of one letter. */
const FIELD = Buffer.of(0, 1, 0x61, 1, 0x62);

test.each<[string, () => Buffer]>([
  ["a head that never ends", () => frame(9, 0, 1, Buffer.concat(Array.from({ length: 1000 }, () => FIELD)))],
  ["settings without end", () => SETTINGS],
  ["pings without end", () => frame(6, 0, 0, Buffer.alloc(8))],
  ["requests of its own", () => frame(5, 4, 1, Buffer.concat([Buffer.of(0, 0, 0, 2), FIELD]))],
  ["noise", () => randomBytes(16_384)],
])("an HTTP/2 application that sends %s is a 502, in bounded memory", async (what, next) => {
  const fixture = await useProxy();
  const neighbour = fixture.addMicrovm();
  neighbour.ports.set(8080, await useServer(createServer((_request, response) => response.end("well"))));
  let sent = 0;
  const port = await useRawApp((socket) => {
    let seen = 0;
    socket.on("data", (chunk: Buffer) => {
      const begins = seen <= PREFACE_BYTES && seen + chunk.length > PREFACE_BYTES;
      seen += chunk.length;
      if (!begins) return;
      socket.write(SETTINGS);
      if (what.startsWith("a head")) socket.write(frame(1, 0, 1, Buffer.of(0x88)));
      const flood = (): void => {
        while (!socket.destroyed && sent < 256 * MIB) {
          const bytes = next();
          sent += bytes.length;
          if (!socket.write(bytes)) return void socket.once("drain", flood);
        }
        socket.destroy(); // a proxy that reads on and on is found out by `sent`
      };
      flood();
    });
  });
  fixture.microvm.ports.set(8080, port);
  const answer = await fixture.send({ headers: { "x-aws-proxy-force-h2": "true" } });
  expect(answer.status).toBe(502);
  expect(sent).toBeLessThan(64 * MIB);
  expect((await fixture.send({ to: neighbour })).body).toBe("well");
});
