import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AppError } from "../errors/app-error.ts";
import type { ContainerConfig } from "../model/container.ts";
import { MAX_ENTROPY_BYTES, MAX_GRACE_MS, MAX_LISTENING_PORTS, MIN_ENTROPY_BYTES } from "../model/guest.ts";
import { ask, openRequest, outOfProtocol, parseReply } from "./control.ts";
import { EventFrameParser } from "./event-frames.ts";
import type {
  GuestAddress,
  GuestEvent,
  GuestIdentity,
  GuestLink,
  GuestSession,
  GuestStatus,
  RelayRefusal,
  SessionRefusal,
  SessionRequest,
  WakeOptions,
} from "./guest-link.ts";
import { openSession } from "./open-session.ts";
import { encodeStartConfig } from "./start-config.ts";

/** Replies that need no disk; generous, because an emulated guest on a busy host is slow. */
const REPLY_TIMEOUT_MS = 10_000;
/** The agent gives a start up after 30 s. */
const START_TIMEOUT_MS = 35_000;
const SETTLE_TIMEOUT_MS = 60_000;
/** Beyond the grace period: kill, reap, flush. */
const STOP_MARGIN_MS = 30_000;
/** One attempt of `waitUntilUp`; it has no end of its own but the signal. */
const UP_ATTEMPT_MS = 5_000;

/** The guest contract over TCP; `address` is where the host reaches the agent of one machine. */
export function createGuestLink(address: GuestAddress): GuestLink {
  return new TcpGuestLink(address);
}

class TcpGuestLink implements GuestLink {
  readonly #address: GuestAddress;

  constructor(address: GuestAddress) {
    this.#address = address;
  }

  async waitUntilUp(signal: AbortSignal): Promise<void> {
    let lastFault: unknown;
    while (!signal.aborted) {
      try {
        await this.#ask("status", UP_ATTEMPT_MS, signal);
        return;
      } catch (error) {
        if (!(error instanceof AppError) || error.code === "ERR_GUEST_PROTOCOL") throw error;
        if (error.code !== "ERR_CANCELLED") lastFault = error;
      }
    }
    if (!isTimeout(signal.reason)) throw new AppError("ERR_CANCELLED", { cause: signal.reason });
    throw new AppError("ERR_GUEST_UNREACHABLE", {
      message: "The guest agent did not come up in time",
      cause: lastFault ?? signal.reason,
    });
  }

  async start(config: ContainerConfig): Promise<void> {
    const body = encodeStartConfig(config);
    await ask(this.#address, { line: `start ${body.length}`, body, patience: { timeoutMs: START_TIMEOUT_MS } });
  }

  async status(): Promise<GuestStatus> {
    const words = await this.#ask("status");
    const [app, number] = words;
    if (app === "idle" && words.length === 1) return { app };
    if (app === "running" && words.length === 2) return { app, pid: parseCount(number, words) };
    if (app === "exited" && words.length === 2) return { app, code: parseCount(number, words) };
    throw outOfProtocol(words.join(" "));
  }

  async listeningPorts(ports: readonly number[]): Promise<number[]> {
    const found: number[] = [];
    for (let at = 0; at < ports.length; at += MAX_LISTENING_PORTS) {
      const some = ports.slice(at, at + MAX_LISTENING_PORTS);
      const words = await this.#ask(["listening", ...some].join(" "));
      const answered = words.map((word) => parseCount(word, words));
      if (!answered.every((port) => some.includes(port))) throw outOfProtocol(words.join(" "));
      found.push(...answered);
    }
    return found;
  }

  async busyMs(): Promise<number> {
    const words = await this.#ask("busy");
    return parseCount(words[0], words);
  }

  async settle(): Promise<{ isFrozen: boolean }> {
    const [word] = await this.#ask("settle", SETTLE_TIMEOUT_MS);
    return { isFrozen: word === "frozen" };
  }

  async wake(options: WakeOptions): Promise<void> {
    await this.#ask(`wake ${encodeWake(options)}`);
  }

  async identify({ hostname, machineId }: GuestIdentity): Promise<void> {
    await this.#ask(`identify ${hostname} ${machineId}`);
  }

  async rehearse(options: WakeOptions): Promise<void> {
    await this.#ask(`rehearse ${encodeWake(options)}`);
  }

  async stop(graceMs: number): Promise<void> {
    const grace = Math.min(Math.max(0, Math.round(graceMs)), MAX_GRACE_MS);
    await this.#ask(`stop ${grace}`, grace + STOP_MARGIN_MS);
  }

  async relay(port: number, signal?: AbortSignal): Promise<Duplex | RelayRefusal> {
    try {
      const { socket, line } = await openRequest(this.#address, {
        line: `relay ${port}`,
        patience: { timeoutMs: REPLY_TIMEOUT_MS, signal },
      });
      if (line === "ok") return socket;
      drop(socket);
      if (line === "refused") return { refused: "port-closed" };
      parseReply(line);
      throw outOfProtocol(line);
    } catch (cause) {
      if (cause instanceof AppError && cause.code === "ERR_CANCELLED") throw cause;
      return { refused: "guest-unreachable", cause };
    }
  }

  session(request: SessionRequest, signal?: AbortSignal): Promise<GuestSession | SessionRefusal> {
    return openSession(this.#address, request, signal);
  }

  async *events(fromOffset: number, signal: AbortSignal): AsyncGenerator<GuestEvent, void, undefined> {
    if (signal.aborted) return;
    const socket = await this.#openEvents(fromOffset, signal);
    if (socket === undefined) return;
    const onAbort = (): void => drop(socket);
    signal.addEventListener("abort", onAbort);
    const parser = new EventFrameParser();
    try {
      for await (const chunk of socket as AsyncIterable<Buffer>) yield* parser.push(chunk);
    } catch (error) {
      // The machine going away, or a wake that resets old connections, is the ordinary end of the stream.
      if (error instanceof AppError) throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      drop(socket);
    }
  }

  /** Undefined when the signal aborts meanwhile. */
  async #openEvents(fromOffset: number, signal: AbortSignal): Promise<Socket | undefined> {
    try {
      const { socket, line } = await openRequest(this.#address, {
        line: `events ${fromOffset}`,
        patience: { timeoutMs: REPLY_TIMEOUT_MS, signal },
      });
      if (line === "ok") return socket;
      drop(socket);
      parseReply(line);
      throw outOfProtocol(line);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  #ask(line: string, timeoutMs: number = REPLY_TIMEOUT_MS, signal?: AbortSignal): Promise<string[]> {
    return ask(this.#address, { line, patience: { timeoutMs, signal } });
  }
}

function drop(socket: Socket): void {
  socket.on("error", () => {}).destroy();
}

function encodeWake({ wallClock, entropy }: WakeOptions): string {
  if (entropy.length < MIN_ENTROPY_BYTES)
    throw new TypeError(`Waking a guest takes at least ${MIN_ENTROPY_BYTES} bytes of entropy`);
  const seconds = Math.floor(wallClock.getTime() / 1000);
  const nanoseconds = String((wallClock.getTime() - seconds * 1000) * 1_000_000).padStart(9, "0");
  return `${seconds}.${nanoseconds} ${Buffer.from(entropy.subarray(0, MAX_ENTROPY_BYTES)).toString("hex")}`;
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

function parseCount(word: string | undefined, words: readonly string[]): number {
  if (word === undefined || !/^\d{1,15}$/.test(word)) throw outOfProtocol(words.join(" "));
  return Number(word);
}
