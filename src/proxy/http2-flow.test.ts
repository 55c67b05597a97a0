import { createServer } from "node:http";
import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import { block, END_HEADERS, END_STREAM, frame, type RawClient, TYPE, useRawClient } from "./h2-raw-client-fixture.ts";
import { type ProxyFixture, useProxy, useRawApp, useServer } from "./proxy-fixture.ts";

const MIB = 1024 * 1024;
const INITIAL_WINDOW = 4;
const STREAM_CLOSED = 5;
const PROTOCOL_ERROR = 1;
const ENHANCE_YOUR_CALM = 11;

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function setting(id: number, value: number): Buffer<ArrayBuffer> {
  return Buffer.concat([Buffer.of(0, id), number32(value)]);
}

/** Bytes of a stream's body that came. */
function bodyOf({ seen }: RawClient, stream = 1): string {
  const frames = seen.frames.filter((one) => one.type === TYPE.data && one.stream === stream);
  return Buffer.concat(frames.map((one) => one.payload)).toString();
}

/** The code that a stream was reset with. */
function resetOf({ seen }: RawClient, stream = 1): number | undefined {
  return seen.frames.find((one) => one.type === TYPE.reset && one.stream === stream)?.payload.readUInt32BE();
}

async function useText(text: string): Promise<ProxyFixture> {
  const fixture = await useProxy();
  fixture.microvm.ports.set(8080, await useServer(createServer((_request, response) => response.end(text))));
  return fixture;
}

/** An application that keeps every byte it is sent, and answers nothing. */
async function useEar(): Promise<{ fixture: ProxyFixture; heard: () => string; isCut: () => boolean }> {
  const fixture = await useProxy();
  let heard = "";
  let isCut = false;
  const app = await useRawApp((socket) => {
    socket.on("data", (chunk) => (heard += chunk.toString("latin1"))).once("end", () => (isCut = true));
  });
  fixture.microvm.ports.set(8080, app);
  return { fixture, heard: () => heard, isCut: () => isCut };
}

test("an answer waits for the windows of its client, of the stream and of the connection", async () => {
  const fixture = await useText("x".repeat(100_000));
  const client = await useRawClient(fixture, setting(INITIAL_WINDOW, 10));
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, client.head()));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(10));
  client.socket.write(frame(TYPE.windowUpdate, 0, 1, number32(5)));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(15));
  client.socket.write(frame(TYPE.settings, 0, 0, setting(INITIAL_WINDOW, 30)));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(35));
  client.socket.write(frame(TYPE.windowUpdate, 0, 1, number32(100_000)));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(65_535));
  client.socket.write(frame(TYPE.windowUpdate, 0, 0, number32(100_000)));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(100_000));
  expect(client.seen.frames.at(-1)).toMatchObject({ type: TYPE.data, flags: END_STREAM });
});

test("a stream whose window is used up does not hold up another", async () => {
  const fixture = await useText("x".repeat(1000));
  const client = await useRawClient(fixture, setting(INITIAL_WINDOW, 10));
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, client.head()));
  await vi.waitFor(() => expect(bodyOf(client)).toHaveLength(10));
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 3, client.head()));
  client.socket.write(frame(TYPE.windowUpdate, 0, 3, number32(2000)));
  await vi.waitFor(() => expect(bodyOf(client, 3)).toHaveLength(1000));
  expect(bodyOf(client)).toHaveLength(10);
});

test.each([
  ["more than its length", "12345GET /smuggled HTTP/1.1\r\n\r\n", 0],
  ["more than its length at its end", "12345GET /smuggled HTTP/1.1\r\n\r\n", END_STREAM],
  ["less than its length", "1234", END_STREAM],
])("a body with %s breaks the application's request off", async (_what, body, flags) => {
  const { fixture, heard, isCut } = await useEar();
  const client = await useRawClient(fixture);
  const fields = Buffer.concat([client.head("/", "POST"), block([["content-length", "5"]])]);
  client.socket.write(frame(TYPE.headers, END_HEADERS, 1, fields));
  await vi.waitFor(() => expect(heard()).toMatch(/content-length: 5/));
  client.socket.write(frame(TYPE.data, flags, 1, Buffer.from(body)));
  await vi.waitFor(() => expect(resetOf(client)).toBe(PROTOCOL_ERROR));
  await vi.waitFor(() => expect(isCut()).toBe(true));
  expect(heard()).not.toMatch(/smuggled/);
});

test("data after its client gave a stream up is an error of the stream, and the connection goes on", async () => {
  const fixture = await useText("ok");
  const client = await useRawClient(fixture);
  client.socket.write(frame(TYPE.headers, END_HEADERS, 1, client.head("/", "POST")));
  client.socket.write(frame(TYPE.reset, 0, 1, number32(8)));
  client.socket.write(frame(TYPE.data, 0, 1, Buffer.from("late")));
  await vi.waitFor(() => expect(resetOf(client)).toBe(STREAM_CLOSED));
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 3, client.head()));
  await vi.waitFor(() => expect(bodyOf(client, 3)).toBe("ok"));
});

test("fields of all sizes and characters arrive, in many frames where they are long", async () => {
  const fixture = await useProxy();
  const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
    .join("")
    .trim();
  const long = "abcdefghij".repeat(2500);
  const app = createServer({ maxHeaderSize: 65_536 }, (request, response) => {
    response
      .setHeader("x-echo", [request.headers["x-printable"] as string, long])
      .end(String(request.headers["x-long"]));
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const { host } = fixture.microvm;
  const socket = { host: "127.0.0.1", port: fixture.port, servername: host, ca: fixture.certificates.rootPem };
  const session = connect(`https://${host}`, {
    maxHeaderListSize: 100_000,
    createConnection: () => connectTls({ ...socket, ALPNProtocols: ["h2"] }),
  } as object);
  onTestFinished(() => session.destroy());
  const request = { "x-aws-proxy-auth": await fixture.token(), "x-printable": printable, "x-long": long };
  const stream = session.request(request);
  const head = new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  let body = "";
  for await (const chunk of stream.setEncoding("utf8")) body += chunk;
  expect(body === long).toBe(true);
  expect((await head)["x-echo"] === `${printable}, ${long}`).toBe(true);
});

test("a single upload that is read gets a wider window", async () => {
  const fixture = await useProxy();
  const sink = createServer((request, response) => request.resume().once("end", () => response.end("done")));
  fixture.microvm.ports.set(8080, await useServer(sink));
  const client = await useRawClient(fixture);
  await vi.waitFor(() => expect(client.seen.types).toContain(TYPE.settings));
  client.socket.write(frame(TYPE.settings, 1, 0));
  client.socket.write(frame(TYPE.headers, END_HEADERS, 1, client.head("/", "POST")));
  for (let sent = 0; sent < 2 * MIB; sent += 16_000) client.socket.write(frame(TYPE.data, 0, 1, Buffer.alloc(16_000)));
  const granted = (): number =>
    client.seen.frames
      .filter(({ type, stream }) => type === TYPE.windowUpdate && stream === 1)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
  await vi.waitFor(() => expect(granted()).toBeGreaterThan(8 * MIB));
  client.socket.write(frame(TYPE.data, END_STREAM, 1));
  await vi.waitFor(() => expect(bodyOf(client)).toBe("done"));
});

test.each([
  ["pings", () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ["settings", () => frame(TYPE.settings, 0, 0, setting(INITIAL_WINDOW, 1000))],
])("a flood of %s costs the connection", async (_what, one) => {
  const fixture = await useText("ok");
  const client = await useRawClient(fixture);
  for (let i = 0; i < 100 && !client.seen.isClosed; i++) {
    client.socket.write(Buffer.concat(Array.from({ length: 50 }, one)));
    await new Promise(setImmediate);
  }
  await vi.waitFor(() => expect(client.seen.isClosed).toBe(true), 5000);
  expect(client.seen.goaway).toBe(ENHANCE_YOUR_CALM);
});

test("slow clients lose their connection: without a greeting, and in the middle of a head", async () => {
  const fixture = await useProxy({ clientLimits: { headMs: 300, idleMs: 60_000 } });
  const { host } = fixture.microvm;
  const options = { host: "127.0.0.1", port: fixture.port, servername: host, ca: fixture.certificates.rootPem };
  const silent = connectTls({ ...options, ALPNProtocols: ["h2"] });
  onTestFinished(() => void silent.destroy());
  const isSilentGone = new Promise((resolve) => silent.resume().once("close", resolve));
  const slow = await useRawClient(fixture);
  slow.socket.write(frame(TYPE.headers, END_STREAM, 1, slow.head()));
  await isSilentGone;
  await vi.waitFor(() => expect(slow.seen.isClosed).toBe(true), 5000);
});

test("a connection without requests is ended in good order", async () => {
  const fixture = await useProxy({ clientLimits: { headMs: 10_000, idleMs: 300 } });
  fixture.microvm.ports.set(8080, await useServer(createServer((_request, response) => response.end("ok"))));
  const client = await useRawClient(fixture);
  client.socket.write(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, client.head()));
  await vi.waitFor(() => expect(client.seen.isClosed).toBe(true), 5000);
  expect(bodyOf(client)).toBe("ok");
  expect(client.seen.goaway).toBe(0);
});
