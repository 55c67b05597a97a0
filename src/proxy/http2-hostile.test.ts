import { createServer } from "node:http";
import { expect, test, vi } from "vitest";
import { block, END_HEADERS, END_STREAM, frame, type RawClient, TYPE, useRawClient } from "./h2-raw-client-fixture.ts";
import { type ProxyFixture, useProxy, useServer } from "./proxy-fixture.ts";

async function useApp(): Promise<{ fixture: ProxyFixture; requests: () => number }> {
  const fixture = await useProxy();
  let requests = 0;
  const app = createServer((_request, response) => {
    requests++;
    setTimeout(() => response.end("ok"), 50);
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  return { fixture, requests: () => requests };
}

async function isEnded({ seen }: RawClient): Promise<void> {
  await vi.waitFor(() => expect(seen.isClosed).toBe(true), 15_000);
}

test("a client that opens and resets streams without end loses its connection, and others go on", async () => {
  const { fixture, requests } = await useApp();
  const client = await useRawClient(fixture);
  const reset = Buffer.of(0, 0, 0, 8);
  for (let i = 0; i < 4000 && !client.seen.isClosed; i++) {
    const stream = 2 * i + 1;
    client.socket.write(
      Buffer.concat([
        frame(TYPE.headers, END_STREAM | END_HEADERS, stream, client.head()),
        frame(TYPE.reset, 0, stream, reset),
      ]),
    );
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  await isEnded(client);
  expect(requests()).toBeLessThan(1000);
  expect((await fixture.send()).status).toBe(200);
});

test("resets that a client provokes count as its own", async () => {
  const { fixture } = await useApp();
  const client = await useRawClient(fixture);
  for (let i = 0; i < 2000 && !client.seen.isClosed; i++) {
    const stream = 2 * i + 1;
    // A window update of nothing is an error of the stream (RFC 9113, 6.9).
    client.socket.write(
      Buffer.concat([
        frame(TYPE.headers, END_STREAM | END_HEADERS, stream, client.head()),
        frame(TYPE.windowUpdate, 0, stream, Buffer.alloc(4)),
      ]),
    );
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  await isEnded(client);
});

test("a head without an end costs the connection", async () => {
  const { fixture, requests } = await useApp();
  const client = await useRawClient(fixture);
  client.socket.write(frame(TYPE.headers, END_STREAM, 1, client.head()));
  const more = frame(TYPE.continuation, 0, 1, block([["x-more", "y".repeat(1000)]]));
  for (let i = 0; i < 10_000 && !client.seen.isClosed; i++) {
    client.socket.write(more);
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  await isEnded(client);
  expect(requests()).toBe(0);
});

test("headers beyond 32 KiB reach nobody", async () => {
  const { fixture, requests } = await useApp();
  const client = await useRawClient(fixture);
  const fields = Buffer.concat([
    client.head(),
    ...Array.from({ length: 3 }, (_, i) => block([[`x-${i}`, "y".repeat(12_000)]])),
  ]);
  client.socket.write(frame(TYPE.headers, END_STREAM, 1, fields.subarray(0, 16_000)));
  client.socket.write(frame(TYPE.continuation, 0, 1, fields.subarray(16_000, 32_000)));
  client.socket.write(frame(TYPE.continuation, END_HEADERS, 1, fields.subarray(32_000)));
  await vi.waitFor(
    () =>
      expect(
        client.seen.types.some((type) => type === TYPE.reset || type === TYPE.goaway || type === TYPE.headers),
      ).toBe(true),
    10_000,
  );
  expect(requests()).toBe(0);
});

test("more streams at once than announced cost the connection", async () => {
  const { fixture, requests } = await useApp();
  const client = await useRawClient(fixture);
  await vi.waitFor(() => expect(client.seen.types).toContain(TYPE.settings));
  client.socket.write(frame(TYPE.settings, 1, 0));
  for (let i = 0; i < 200; i++)
    client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 2 * i + 1, client.head()));
  await isEnded(client);
  expect(requests()).toBeLessThanOrEqual(128);
});

test.each([
  ["a line feed in a value", ["x-a", "b\r\nx-smuggled: d"]],
  ["a line feed in a name", ["x-smuggled: d\r\nx", "1"]],
  ["a zero byte", ["x-smuggled", "a\0b"]],
] as const)("a field with %s does not reach the application", async (_what, field) => {
  const fixture = await useProxy();
  const seen: string[] = [];
  const app = createServer((request, response) => {
    seen.push(...request.rawHeaders);
    response.end("ok");
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const client = await useRawClient(fixture);
  const fields = Buffer.concat([client.head(), block([field])]);
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, fields));
  const answered: number[] = [TYPE.headers, TYPE.reset, TYPE.goaway];
  await vi.waitFor(() => expect(client.seen.types.some((type) => answered.includes(type))).toBe(true), 10_000);
  expect(seen.join("|")).not.toMatch(/smuggled/);
});

test.each([
  ["empty data", (i: number) => frame(TYPE.data, 0, i < 0 ? 0 : 1)],
  ["no HTTP/2 at all", () => Buffer.alloc(1000, 0xff)],
  ["frames of an unknown stream", () => frame(TYPE.data, 0, 99, Buffer.from("x"))],
  ["frames larger than announced", () => frame(TYPE.data, 0, 1, Buffer.alloc(20_000))],
])("%s ends the connection", async (_what, garbage) => {
  const { fixture } = await useApp();
  const client = await useRawClient(fixture);
  client.socket.write(frame(TYPE.headers, END_HEADERS, 1, client.head()));
  for (let i = 0; i < 5000 && !client.seen.isClosed; i++) {
    client.socket.write(garbage(i));
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  await isEnded(client);
  expect((await fixture.send()).status).toBe(200);
});

test.each([
  ["a field name in capitals", [["X-Big", "1"]]],
  ["a connection field", [["connection", "close"]]],
  ["a transfer encoding", [["transfer-encoding", "chunked"]]],
  ["a pseudo-header of its own", [[":secret", "1"]]],
  ["a second path", [[":path", "/other"]]],
  ["a length that is none", [["content-length", "five"]]],
] as const)("%s makes a request that reaches nobody", async (_what, fields) => {
  const { fixture, requests } = await useApp();
  const client = await useRawClient(fixture);
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, Buffer.concat([client.head(), block(fields)])));
  await vi.waitFor(
    () => expect(client.seen.types.some((type) => type === TYPE.reset || type === TYPE.goaway)).toBe(true),
    10_000,
  );
  expect(requests()).toBe(0);
});

test("no mixture of frames harms anybody but who sends it", { timeout: 60_000 }, async () => {
  const { fixture } = await useApp();
  let seed = 20_261_121;
  const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below;
  const noise = (bytes: number): Buffer => Buffer.from(Array.from({ length: random(bytes) }, () => random(256)));
  const someFrame = ({ head }: RawClient): Buffer => {
    const stream = random(4) === 0 ? random(20) : 1 + 2 * random(10);
    switch (random(10)) {
      case 0:
      case 1:
      case 2:
        return frame(TYPE.headers, random(2) | END_HEADERS, stream, head("/", random(2) === 0 ? "GET" : "POST"));
      case 3:
        return frame(TYPE.headers, random(256), stream, Buffer.concat([noise(10), head().subarray(random(40))]));
      case 4:
      case 5:
        return frame(TYPE.data, random(2) | (random(4) === 0 ? 8 : 0), stream, noise(300));
      case 6:
        return frame(TYPE.windowUpdate, 0, random(3) === 0 ? 0 : stream, Buffer.of(random(256), 0, random(256), 1));
      case 7:
        return frame(TYPE.reset, 0, stream, Buffer.of(0, 0, 0, random(14)));
      case 8:
        return frame(TYPE.settings, 0, 0, Buffer.of(0, random(9), 0, random(256), random(256), random(256)));
      default:
        return frame(random(12), random(256), random(2) * stream, noise(40));
    }
  };
  for (let round = 0; round < 150; round++) {
    const client = await useRawClient(fixture);
    const bytes = Buffer.concat(Array.from({ length: 30 }, () => someFrame(client)));
    for (let at = 0; at < bytes.length && !client.seen.isClosed;) {
      const length = 1 + random(2000);
      client.socket.write(bytes.subarray(at, at + length));
      at += length;
      if (random(3) === 0) await new Promise(setImmediate);
    }
    if (random(2) === 0) client.socket.destroy();
  }
  expect((await fixture.send()).status).toBe(200);
});
