import { watch } from "node:fs";
import { access } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { AppError } from "../../errors/app-error.ts";

/** Longest line the monitor may send; its real answers are far shorter. */
const MAX_LINE_BYTES = 1024 * 1024;

/** Without an answer for this long a monitor hangs, or was taken over: commands take milliseconds. */
const SILENCE_MS = 60_000;

export interface QmpOptions {
  /** How long the socket may take to appear, in milliseconds. */
  readonly timeoutMs: number;
  /** How long any answer may take, in milliseconds. */
  readonly silenceMs?: number;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The QEMU machine protocol over a unix socket: commands answered in order, events by name. */
export class QmpClient {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #silenceMs: number;
  readonly #pending: Pending[] = [];
  readonly #eventWaiters = new Map<string, (() => void)[]>();
  readonly #listeners = new Map<string, (data: unknown) => void>();
  #buffered = "";
  #greeted: (() => void) | undefined;

  private constructor(socket: Socket, silenceMs: number) {
    this.#socket = socket;
    this.#silenceMs = silenceMs;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", () => {}); // "close" follows and ends every waiter
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        for (const { reject } of this.#pending.splice(0)) reject(new AppError("ERR_ENGINE_LOST"));
        resolve();
      });
    });
  }

  /** Connects and leaves the negotiation mode; the monitor serves one client at a time. */
  static async open(path: string, { timeoutMs, silenceMs = SILENCE_MS }: QmpOptions): Promise<QmpClient> {
    const socket = await connectSocket(path, timeoutMs);
    const client = new QmpClient(socket, silenceMs);
    await client.#orLost(new Promise<void>((resolve) => (client.#greeted = resolve)));
    await client.execute("qmp_capabilities");
    return client;
  }

  execute<T = unknown>(command: string, parameters: Record<string, unknown> = {}): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new AppError("ERR_ENGINE_LOST"));
      this.#pending.push({ resolve: resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    });
    return this.#orLost(answer);
  }

  /** The next event of this name; call before the command that causes it. */
  nextEvent(name: string): Promise<void> {
    const event = new Promise<void>((resolve) => {
      const waiters = this.#eventWaiters.get(name) ?? [];
      waiters.push(resolve);
      this.#eventWaiters.set(name, waiters);
    });
    return this.#orLost(event);
  }

  /** Every event of this name; one listener a name. */
  onEvent(name: string, listener: (data: unknown) => void): void {
    this.#listeners.set(name, listener);
  }

  /** Gives a silent monitor up: to everybody it is gone. */
  async #orLost<T>(answer: Promise<T>): Promise<T> {
    const silence = globalThis.setTimeout(() => this.#socket.destroy(), this.#silenceMs);
    try {
      return await Promise.race([answer, this.closed.then(() => Promise.reject(new AppError("ERR_ENGINE_LOST")))]);
    } finally {
      clearTimeout(silence);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#buffered += text;
    for (let end = this.#buffered.indexOf("\n"); end !== -1; end = this.#buffered.indexOf("\n")) {
      const line = this.#buffered.slice(0, end);
      this.#buffered = this.#buffered.slice(end + 1);
      this.#handle(line);
    }
    if (this.#buffered.length > MAX_LINE_BYTES) this.#socket.destroy();
  }

  #handle(line: string): void {
    const message = parse(line);
    if (message === undefined) return void this.#socket.destroy();
    if ("QMP" in message) return this.#greeted?.();
    if (typeof message["event"] === "string") {
      const waiters = this.#eventWaiters.get(message["event"]) ?? [];
      this.#eventWaiters.delete(message["event"]);
      for (const resolve of waiters) resolve();
      this.#listeners.get(message["event"])?.(message["data"]);
      return;
    }
    const pending = this.#pending.shift();
    if ("return" in message) pending?.resolve(message["return"]);
    else
      pending?.reject(
        new AppError("ERR_ENGINE_PROTOCOL", { message: `The monitor refused: ${JSON.stringify(message["error"])}` }),
      );
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function connectSocket(path: string, timeoutMs: number): Promise<Socket> {
  const deadline = performance.now() + timeoutMs;
  await waitForFile(path, timeoutMs);
  for (;;) {
    try {
      return await connectOnce(path);
    } catch (cause) {
      // The file appears at bind(), a moment before listen().
      const isEarly = (cause as NodeJS.ErrnoException).code === "ECONNREFUSED" && performance.now() < deadline;
      if (!isEarly) throw new AppError("ERR_ENGINE_START", { cause });
      await setTimeout(1);
    }
  }
}

function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket.off("error", reject)));
    socket.once("error", reject);
  });
}

/** Watches the directory rather than polling: polling costs its interval on every start. */
async function waitForFile(path: string, timeoutMs: number): Promise<void> {
  const exists = () =>
    access(path).then(
      () => true,
      () => false,
    );
  const watcher = watch(dirname(path));
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = globalThis.setTimeout(
        () => reject(new AppError("ERR_ENGINE_START", { message: `${path} did not appear within ${timeoutMs} ms` })),
        timeoutMs,
      );
      const settle = () => {
        clearTimeout(timer);
        resolve();
      };
      watcher.on("change", (_kind, name) => name === basename(path) && settle());
      watcher.on("error", reject);
      void exists().then((isThere) => isThere && settle());
    });
  } finally {
    watcher.close();
  }
}
