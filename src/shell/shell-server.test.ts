import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { createConnection, type AddressInfo, type Socket } from "node:net";
import { addAbortSignal, Duplex } from "node:stream";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { GuestSession, SessionRefusal, SessionRequest, TerminalSize } from "../guest-link/guest-link.ts";
import { ShellServer } from "./shell-server.ts";

/** A program as the guest link shows it: says what it is told to say, and remembers what it hears. */
class FakeSession extends Duplex implements GuestSession {
  heard = "";
  readonly sizes: TerminalSize[] = [];
  isDeaf = false;

  constructor() {
    super({ readableObjectMode: true, writableHighWaterMark: 1024 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.heard += chunk.toString();
    if (!this.isDeaf) done();
  }

  resize(size: TerminalSize): void {
    this.sizes.push(size);
  }

  say(text: string, stream: "stdout" | "stderr" = "stdout"): void {
    this.push({ kind: "output", stream, bytes: Buffer.from(text) });
  }

  exit(code: number): void {
    this.push({ kind: "exited", code });
    this.push(null);
  }
}

type Open = (request: SessionRequest) => GuestSession | SessionRefusal;

async function useShells(open: Open) {
  const requests: SessionRequest[] = [];
  const down = new Set<() => void>();
  const seen = { touches: 0 };
  const target = {
    microvmId: "microvm-1",
    link: {
      session: (request: SessionRequest, signal?: AbortSignal) => {
        requests.push(request);
        const session = open(request);
        if (signal !== undefined && !("refused" in session)) addAbortSignal(signal, session);
        return Promise.resolve(session);
      },
    },
    touch: () => void seen.touches++,
    onDown: (listener: () => void) => {
      down.add(listener);
      return () => void down.delete(listener);
    },
  };
  const errors: string[] = [];
  const shells = new ShellServer({ log: pino({ level: "error" }, { write: (line) => void errors.push(line) }) });
  const server = createServer().listen(0, "127.0.0.1");
  server.on("upgrade", (request, socket, early) =>
    shells.accept({ request, socket: socket as Socket, early, requestId: "request-1" }, target),
  );
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    shells.close();
    server.close();
    server.closeAllConnections();
  });
  const connect = (protocols: string[] = []) => new Client(`ws://127.0.0.1:${port}/shell`, protocols);
  return { errors, shells, requests, down, seen, port, connect };
}

class Client {
  readonly socket: WebSocket;
  readonly messages: (string | Buffer)[] = [];
  readonly closed: Promise<[number, string]>;

  constructor(url: string, protocols: string[]) {
    this.socket = new WebSocket(url, protocols);
    this.socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer;
      this.messages.push(isBinary ? bytes : bytes.toString());
    });
    this.closed = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve([code, reason.toString()])),
    );
    onTestFinished(() => this.socket.terminate());
  }

  async opened(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }
}

const handshake = (more: string) =>
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n\r\n`;

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 10_000 }).toBe(true);

test("a session begins with its id, then carries terminal bytes, and ends with the shell", async () => {
  const program = new FakeSession();
  const { connect, requests, seen } = await useShells(() => program);
  const client = connect(["lambda-microvms", "lambda-microvms.port.8022", "shell"]);
  const [[response]] = await Promise.all([once(client.socket, "upgrade"), client.opened()]);
  expect((response as IncomingMessage).headers["x-amzn-requestid"]).toBe("request-1");
  expect(client.socket.protocol).toBe("lambda-microvms");
  program.say("λ $ ");
  await until(() => client.messages.length === 2);
  expect(JSON.parse(client.messages[0] as string)).toEqual({
    type: "session_init",
    session_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  });
  expect(client.messages[1]).toEqual(Buffer.from("λ $ "));
  expect(requests).toEqual([
    {
      argv: ["bash"],
      env: { TERM: "xterm", PS1: "λ $ ", PROMPT_COMMAND: "PS1='λ $ '; unset PROMPT_COMMAND" },
      user: "0",
      workingDir: "/",
      terminal: { columns: 0, rows: 0 },
    },
  ]);
  expect(seen.touches).toBeGreaterThan(0);
  program.exit(3);
  expect(await client.closed).toEqual([1000, "shell exited"]);
});

test("resizes are obeyed; other text is typed, and so are binary frames", async () => {
  const program = new FakeSession();
  const { connect } = await useShells(() => program);
  const client = await connect().opened();
  expect(client.socket.protocol).toBe("");
  client.socket.send('{"type":"resize","cols":120,"rows":40}');
  client.socket.send("ls\n");
  client.socket.send('{"type":"resize","cols":-1,"rows":40}');
  client.socket.send('{"type":"other"}');
  client.socket.send(Buffer.from('{"type":"resize","cols":1,"rows":1}'));
  client.socket.send("{");
  await until(() => program.heard.endsWith("}{"));
  expect(program.sizes).toEqual([{ columns: 120, rows: 40 }]);
  expect(program.heard).toBe(
    'ls\n{"type":"resize","cols":-1,"rows":40}{"type":"other"}{"type":"resize","cols":1,"rows":1}{',
  );
});

const MISSING: SessionRefusal = { refused: "not-started", code: 127, reason: "not found" };

test("an image without bash gets sh, one without any gets busybox and is told so", async () => {
  const program = new FakeSession();
  const { connect, requests } = await useShells((request) => (request.isBusybox === true ? program : MISSING));
  const client = await connect().opened();
  await until(() => client.messages.length === 2);
  expect(String(client.messages[1])).toBe("This image has no shell; this one is Catnap's own busybox.\r\n");
  expect(requests.map(({ argv, isBusybox }) => [argv[0], isBusybox === true])).toEqual([
    ["bash", false],
    ["sh", false],
    ["/bin/sh", false],
    ["sh", true],
  ]);
});

test.each<[SessionRefusal, RegExp]>([
  [{ refused: "agent-too-old" }, /built before Catnap had shells.*update-microvm-image/],
  [{ refused: "agent-refused", reason: "too many sessions" }, /too many sessions/],
  [{ refused: "guest-unreachable", cause: new Error("x") }, /did not answer.*Try again/],
  [{ refused: "not-started", code: 125, reason: "chdir" }, /chdir/],
])("a refusal %j is shown on the terminal and closes it", async (refusal, text) => {
  const { connect } = await useShells(() => refusal);
  const client = connect();
  expect(await client.closed).toEqual([1011, "the session could not be started"]);
  expect(String(client.messages.at(-1))).toMatch(text);
});

test("a client that leaves takes its program along, and a program its client", async () => {
  const programs = [new FakeSession(), new FakeSession()];
  let next = 0;
  const { errors, connect, down } = await useShells(() => programs[next++] ?? MISSING);
  const [one, two] = [await connect().opened(), await connect().opened()];
  await until(() => next === 2);
  one.socket.terminate();
  await until(() => programs[0]?.closed === true);
  expect(programs[1]?.destroyed).toBe(false);
  expect(down.size).toBe(1);
  for (const listener of [...down]) listener();
  expect(await two.closed).toEqual([1001, "the MicroVM is no longer running"]);
  expect(programs[1]?.destroyed).toBe(true);
  await until(() => down.size === 0);
  expect(errors).toEqual([]);
});

test("a machine that goes away without a word closes its shells, and a server that stops too", async () => {
  const programs = [new FakeSession(), new FakeSession()];
  let next = 0;
  const { connect, shells } = await useShells(() => programs[next++] ?? MISSING);
  const [one, two] = [await connect().opened(), await connect().opened()];
  await until(() => next === 2);
  programs[0]?.push(null);
  expect(await one.closed).toEqual([1001, "the MicroVM is no longer running"]);
  shells.close();
  expect(await two.closed).toEqual([1001, "the server goes down"]);
});

test("a slow client holds the program up, and a slow program the client", async () => {
  const program = new FakeSession();
  const { connect } = await useShells(() => program);
  const client = await connect().opened();
  await until(() => client.messages.length === 1);
  client.socket.pause();
  const piece = "x".repeat(1_000_000);
  let said = 0;
  for (; said < 100; said++) program.say(piece);
  await expect.poll(() => program.readableLength, { timeout: 10_000 }).toBeLessThan(100);
  const waiting = program.readableLength;
  expect(waiting).toBeGreaterThan(50);
  client.socket.resume();
  await until(() => client.messages.length === 101);
  program.isDeaf = true;
  const sent = Array.from({ length: 40 }, () => new Promise((done) => client.socket.send(piece, done)));
  await until(() => program.writableNeedDrain);
  expect(client.socket.bufferedAmount + program.writableLength).toBeGreaterThan(1_000_000);
  expect(program.writableLength).toBeLessThan(30_000_000);
  program.destroy();
  await client.closed;
  await Promise.all(sent);
});

test("frames that break the protocol or are too large end the connection", async () => {
  const program = new FakeSession();
  const { connect } = await useShells(() => program);
  const large = await connect().opened();
  large.socket.send(Buffer.alloc(1024 * 1024 + 1));
  expect((await large.closed)[0]).toBe(1009);
  const { port } = await useShells(() => new FakeSession());
  const raw = createConnection({ host: "127.0.0.1", port });
  raw.write(handshake("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw=="));
  raw.write(Buffer.from([0xff, 0xff, 0, 0, 0, 0]));
  const frames = Buffer.concat(await raw.toArray());
  expect(frames.toString("hex")).toMatch(/880203ea$/); // close, two bytes: 1002
});

test("a handshake that is none is a 400 with the request's id", async () => {
  const { port } = await useShells(() => MISSING);
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.write(handshake("Sec-WebSocket-Version: 8"));
  const answer = String(Buffer.concat(await socket.toArray()));
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*\r\nx-amzn-requestid: request-1\r\n/s);
});

test("an exec is one command, its streams apart, and its exit code", async () => {
  const program = new FakeSession();
  const { connect, requests } = await useShells(() => program);
  const client = await connect(["lambda-microvms", "catnap.exec"]).opened();
  expect(client.socket.protocol).toBe("catnap.exec");
  client.socket.send('{"type":"exec","argv":["cat","-n"],"env":{"A":"b"},"workdir":"/srv","user":"app"}');
  client.socket.send(Buffer.from("input"));
  client.socket.send('{"type":"stdin_end"}');
  await once(program, "finish");
  expect(program.heard).toBe("input");
  program.say("out");
  program.say("err", "stderr");
  program.exit(42);
  expect(await client.closed).toEqual([1000, "exited"]);
  expect(requests).toEqual([{ argv: ["cat", "-n"], env: { A: "b" }, workingDir: "/srv", user: "app" }]);
  const [init, ...rest] = client.messages;
  expect(JSON.parse(init as string)).toMatchObject({ type: "session_init" });
  expect(rest).toEqual([Buffer.from("\u0001out"), Buffer.from("\u0002err"), '{"type":"exit","code":42}']);
});

test("an exec may have a terminal", async () => {
  const program = new FakeSession();
  const { connect, requests } = await useShells(() => program);
  const client = await connect(["catnap.exec"]).opened();
  client.socket.send('{"type":"exec","argv":["top"],"terminal":{"cols":80,"rows":24}}');
  client.socket.send('{"type":"resize","cols":81,"rows":25}');
  await until(() => program.sizes.length === 1);
  expect(requests[0]).toMatchObject({ terminal: { columns: 80, rows: 24 }, env: { TERM: "xterm" } });
  client.socket.send("typed?");
  expect(await client.closed).toEqual([1008, "not a message of this protocol"]);
});

test("a program that ends while its input is open breaks nothing", async () => {
  const program = new FakeSession();
  const { errors, connect, requests } = await useShells(() => program);
  const client = await connect(["catnap.exec"]).opened();
  client.socket.send('{"type":"exec","argv":["true"]}');
  await until(() => requests.length === 1);
  program.exit(0);
  expect(await client.closed).toEqual([1000, "exited"]);
  await until(() => program.closed);
  expect(errors).toEqual([]);
});

test("a command that does not start has an exit code and a reason", async () => {
  const { connect } = await useShells(() => MISSING);
  const client = await connect(["catnap.exec"]).opened();
  client.socket.send('{"type":"exec","argv":["nothing"]}');
  expect(await client.closed).toEqual([1000, "exited"]);
  expect(client.messages).toEqual(['{"type":"exit","code":127,"message":"not found"}']);
});

test.each([
  "ls",
  "{}",
  '{"type":"exec"}',
  '{"type":"exec","argv":[]}',
  '{"type":"exec","argv":["a"],"env":{"A=B":"c"}}',
  '{"type":"exec","argv":["a"],"workdir":"here"}',
])("an exec request %j is refused", async (text) => {
  const { connect } = await useShells(() => new FakeSession());
  const client = await connect(["catnap.exec"]).opened();
  client.socket.send(text);
  expect(await client.closed).toEqual([1008, "not a message of this protocol"]);
});
