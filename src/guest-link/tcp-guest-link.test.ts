import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import type { GuestLink, RelayRefusal } from "./guest-link.ts";
import { createGuestLink } from "./tcp-guest-link.ts";

/** A fake agent: `answer` gets every connection and its first line. */
async function useAgent(answer: (socket: Socket, line: string) => void): Promise<{ link: GuestLink; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let text = "";
    socket.on("data", function onData(chunk: Buffer) {
      text += chunk.toString("latin1");
      const end = text.indexOf("\n");
      if (end < 0) return;
      socket.off("data", onData).pause();
      if (text.length > end + 1) socket.unshift(Buffer.from(text.slice(end + 1), "latin1"));
      answer(socket, text.slice(0, end));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { link: createGuestLink({ host: "127.0.0.1", port }), port };
}

const replying = (reply: string | Buffer) => useAgent((socket) => void socket.end(reply));
const refusalOf = (result: Duplex | RelayRefusal) => (result instanceof Duplex ? undefined : result);

async function collect(link: GuestLink, offset = 0) {
  const events = [];
  for await (const event of link.events(offset, new AbortController().signal)) events.push(event);
  return events;
}

test.each([
  ["ok idle", { app: "idle" }],
  ["ok running 85", { app: "running", pid: 85 }],
  ["ok exited 137", { app: "exited", code: 137 }],
])("the reply %j is a status", async (reply, status) => {
  const { link } = await replying(`${reply}\n`);
  await expect(link.status()).resolves.toEqual(status);
});

test.each([
  ["garbage", Buffer.from([0, 1, 2, 255, 10])],
  ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["a missing number", "ok running\n"],
  ["a number that is none", "ok exited 0x10\n"],
  ["words too many", "ok idle really\n"],
  ["an endless line", "o".repeat(100_000)],
  ["an empty line", "\n"],
])("%s as status is out of protocol", async (_what, reply) => {
  const { link } = await replying(reply);
  await expect(link.status()).rejects.toMatchObject({ code: "ERR_GUEST_PROTOCOL" });
});

test("half a reply and an end is unreachable", async () => {
  const { link } = await replying("ok id");
  await expect(link.status()).rejects.toMatchObject({ code: "ERR_GUEST_UNREACHABLE" });
});

test("an error reply carries the agent's reason", async () => {
  const { link } = await replying('error exec: "gunicorn": executable file not found in $PATH\n');
  await expect(link.settle()).rejects.toMatchObject({
    code: "ERR_GUEST_REFUSED",
    message: 'exec: "gunicorn": executable file not found in $PATH',
  });
});

test("ports that were not asked for are out of protocol", async () => {
  const { link } = await replying("ok 22\n");
  await expect(link.listeningPorts([80])).rejects.toMatchObject({ code: "ERR_GUEST_PROTOCOL" });
});

test("more ports than one request takes are asked for in several", async () => {
  const lines: string[] = [];
  const { link } = await useAgent((socket, line) => {
    lines.push(line);
    socket.end(`ok${line.includes(" 150") ? " 150" : ""}\n`);
  });
  await expect(link.listeningPorts(Array.from({ length: 150 }, (_, index) => index + 1))).resolves.toEqual([150]);
  expect(lines).toHaveLength(3);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(512);
});

test("wake sends seconds, nanoseconds and entropy", async () => {
  let sent = "";
  const { link } = await useAgent((socket, line) => {
    sent = line;
    socket.end("ok\n");
  });
  await link.wake({ wallClock: new Date(1_700_000_000_042), entropy: new Uint8Array(32).fill(0xab) });
  expect(sent).toBe(`wake 1700000000.042000000 ${"ab".repeat(32)}`);
});

test("waiting for an agent that is silent ends with the signal", async () => {
  const { link } = await useAgent(() => {});
  await expect(link.waitUntilUp(AbortSignal.timeout(200))).rejects.toMatchObject({ code: "ERR_GUEST_UNREACHABLE" });
  const abort = new AbortController();
  const waiting = link.waitUntilUp(abort.signal);
  abort.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toMatchObject({ code: "ERR_CANCELLED" });
});

test("waiting goes on through refused connections until the agent listens", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end("ok idle\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const up = createGuestLink({ host: "127.0.0.1", port }).waitUntilUp(AbortSignal.timeout(20_000));
  await new Promise((resolve) => setTimeout(resolve, 100)); // lets several attempts be refused
  server.listen(port, "127.0.0.1");
  onTestFinished(() => void server.close());
  await expect(up).resolves.toBeUndefined();
});

test("a relay gives the bytes that came with the reply, then carries both ways with half-close", async () => {
  const { link } = await useAgent((socket, line) => {
    expect(line).toBe("relay 8080");
    socket.write("ok\nearly");
    socket.pipe(socket);
  });
  const relay = await link.relay(8080);
  if (!(relay instanceof Duplex)) throw new Error(JSON.stringify(relay));
  relay.end(" late");
  let text = "";
  for await (const chunk of relay) text += String(chunk);
  expect(text).toBe("early late");
});

test("a relay tells a closed port from a guest that is in trouble", async () => {
  const closed = await replying("refused\n");
  expect(refusalOf(await closed.link.relay(1))).toEqual({ refused: "port-closed" });
  const troubled = await replying("error too many connections\n");
  expect(refusalOf(await troubled.link.relay(1))).toMatchObject({
    refused: "guest-unreachable",
    cause: { code: "ERR_GUEST_REFUSED" },
  });
  const strange = await replying("maybe\n");
  expect(refusalOf(await strange.link.relay(1))).toMatchObject({
    refused: "guest-unreachable",
    cause: { code: "ERR_GUEST_PROTOCOL" },
  });
});

test("an aborted relay is cancelled", async () => {
  const { link } = await useAgent(() => {});
  await expect(link.relay(1, AbortSignal.timeout(50))).rejects.toMatchObject({ code: "ERR_CANCELLED" });
});

test("events come whole however the frames are cut", async () => {
  const stream = Buffer.from("ok\nout 5 6\nab\ncd\nerr 11 1\n\ndropped 70\nexited 137\n");
  const { link } = await useAgent(async (socket, line) => {
    expect(line).toBe("events 5");
    for (const byte of stream) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  });
  expect(await collect(link, 5)).toEqual([
    { kind: "output", offset: 5, stream: "stdout", bytes: Buffer.from("ab\ncd\n") },
    { kind: "output", offset: 11, stream: "stderr", bytes: Buffer.from("\n") },
    { kind: "dropped", bytes: 70 },
    { kind: "exited", code: 137 },
  ]);
});

test("a reset connection ends the events quietly", async () => {
  const { link } = await useAgent((socket) =>
    socket.write("ok\nout 0 1\nx", () => setTimeout(() => socket.resetAndDestroy(), 50)),
  );
  await expect(collect(link)).resolves.toHaveLength(1);
});

test.each([
  ["an unknown frame", "hello 1\n"],
  ["a frame larger than allowed", "out 0 65537\n"],
  ["an offset beyond what a number holds", "out 9999999999999999 1\nx"],
  ["an exit code that is none", "exited 256\n"],
  ["an endless line", "out ".repeat(1000)],
])("%s in the event stream is out of protocol", async (_what, frames) => {
  const { link } = await replying(`ok\n${frames}`);
  await expect(collect(link)).rejects.toMatchObject({ code: "ERR_GUEST_PROTOCOL" });
});

test("aborting ends the events and the connection", async () => {
  let closed: Promise<unknown> | undefined;
  const { link } = await useAgent((socket) => {
    closed = once(socket.resume(), "close");
    socket.write("ok\nout 0 1\nx");
    socket.on("end", () => socket.end());
  });
  const abort = new AbortController();
  for await (const event of link.events(0, abort.signal)) {
    expect(event.kind).toBe("output");
    abort.abort();
  }
  await closed;
});

test("an agent that knows no sessions is too old for them", async () => {
  const { link } = await replying("error not a request\n");
  await expect(link.session({ argv: ["sh"] })).resolves.toEqual({ refused: "agent-too-old" });
  const hangingUp = await useAgent((socket, line) => {
    if (line === "hello") socket.end("error not a request\n");
    else socket.resetAndDestroy();
  });
  await expect(hangingUp.link.session({ argv: ["sh"] })).resolves.toEqual({ refused: "agent-too-old" });
  const newer = await useAgent(
    (socket, line) => void socket.end(line === "hello" ? "ok 3\n" : "error not a request\n"),
  );
  await expect(newer.link.session({ argv: ["sh"] })).resolves.toEqual({
    refused: "agent-refused",
    reason: "not a request",
  });
});

test.each([
  ["failed 127 no such program\n", { refused: "not-started", code: 127, reason: "no such program" }],
  ["error too many sessions\n", { refused: "agent-refused", reason: "too many sessions" }],
  ["failed 999 x\n", { refused: "guest-unreachable" }],
  ["hello\n", { refused: "guest-unreachable" }],
])("the session reply %j is a refusal", async (reply, refusal) => {
  const { link } = await replying(reply);
  await expect(link.session({ argv: ["sh"] })).resolves.toMatchObject(refusal);
});

async function hearSession(frames: string | Buffer): Promise<unknown[]> {
  const { link } = await replying(Buffer.concat([Buffer.from("ok\n"), Buffer.from(frames)]));
  const session = await link.session({ argv: ["sh"] });
  if ("refused" in session) throw new Error(session.refused);
  const events: unknown[] = [];
  for await (const event of session) events.push(event);
  return events;
}

test("a session's frames are output and an exit, and nothing after it counts", async () => {
  await expect(hearSession("out 2\nhierr 1\n\nexited 3\nout 1\nx")).resolves.toEqual([
    { kind: "output", stream: "stdout", bytes: Buffer.from("hi") },
    { kind: "output", stream: "stderr", bytes: Buffer.from("\n") },
    { kind: "exited", code: 3 },
  ]);
  await expect(hearSession("out 5\nhi")).resolves.toHaveLength(1);
});

test.each(["out 0\n", "out 32769\n" + "x".repeat(32_769), "exited 256\n", "in 5\nhello", "out 1", "x".repeat(100)])(
  "session bytes like %j are out of protocol or an end",
  async (frames) => {
    const heard = hearSession(frames);
    if (frames === "out 1") await expect(heard).resolves.toEqual([]);
    else await expect(heard).rejects.toMatchObject({ code: "ERR_GUEST_PROTOCOL" });
  },
);

test("input goes out in frames of bounded size, with resizes and an end", async () => {
  let sent = "";
  const { link } = await useAgent((socket) => {
    socket.on("data", (chunk: Buffer) => (sent += chunk.toString("latin1")));
    socket.resume().write("ok\n");
    socket.on("data", () => {
      if (sent.endsWith("eof\n")) socket.end("exited 0\n");
    });
  });
  const session = await link.session({ argv: ["sh"], env: { A: "b" }, terminal: { columns: 1, rows: 2 } });
  if ("refused" in session) throw new Error(session.refused);
  session.resize({ columns: 80, rows: 24 });
  session.end(Buffer.alloc(40_000, "x"));
  await session.resume().toArray();
  const frames = sent.slice(sent.indexOf("resize"));
  expect(sent.startsWith("arg=sh\0env=A=b\0terminal=1x2\0")).toBe(true);
  expect(frames.replaceAll(/x+/g, "*")).toBe("resize 80 24\nin 32768\n*in 7232\n*eof\n");
});

test("a session that is destroyed closes its connection", async () => {
  let closed: Promise<unknown> | undefined;
  const { link } = await useAgent((socket) => {
    closed = once(
      socket.resume().on("end", () => socket.end()),
      "close",
    );
    socket.write("ok\n");
  });
  const session = await link.session({ argv: ["sh"] });
  if ("refused" in session) throw new Error(session.refused);
  session.destroy();
  await closed;
});
