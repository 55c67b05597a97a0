import type { TLSSocket } from "node:tls";
import { GatheredWrites } from "../flow/gathered-writes.ts";
import { FrameReader } from "../http2/frame-reader.ts";
import { ErrorCode, goawayFrame } from "../http2/frames.ts";
import { LINGER_MS, type ClientLimits } from "./client-limits.ts";
import { H2ClientSession, type H2Host, type H2Road } from "./h2-client-session.ts";
import { serverNameOf } from "./server-name.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const NOTHING = Buffer.alloc(0);
/** Answers to frames that a client does not take; until it does, it is not listened to. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** Who keeps the connections. */
export interface H2Keeper extends H2Host {
  readonly limits: ClientLimits;
  /** The client broke the protocol, or abused it. */
  onError(code: number): void;
  remove(connection: H2ClientConnection): void;
}

/** A client's connection that speaks HTTP/2: bytes in and out, and how it ends. */
export class H2ClientConnection implements H2Road {
  readonly socket: TLSSocket;
  readonly serverName: string | undefined;
  readonly output: GatheredWrites;
  readonly #keeper: H2Keeper;
  readonly #session: H2ClientSession;
  readonly #frames: FrameReader;
  /** Of the preface, so far. */
  #preface: Buffer | undefined = NOTHING;
  #isLeaving = false;
  #isClosing = false;
  /** By `performance.now()`. */
  #lingersUntil = Number.POSITIVE_INFINITY;

  constructor(socket: TLSSocket, keeper: H2Keeper) {
    this.socket = socket;
    this.#keeper = keeper;
    this.output = new GatheredWrites(socket, () => this.#session.sender.run());
    this.serverName = serverNameOf(socket);
    this.#session = new H2ClientSession(this, keeper);
    this.#frames = new FrameReader(this.#session);
    socket.on("data", this.#onBytes);
    socket.on("end", () => socket.destroy()); // node's TLS sockets know no half-open state
    socket.on("drain", this.#onDrain);
    socket.on("error", ignore); // "close" follows, and says the same
    socket.on("close", this.#onClose);
    this.#session.greet();
  }

  get isGone(): boolean {
    return this.#isClosing || this.socket.destroyed;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  retire(): void {
    if (this.#isLeaving || this.isGone) return;
    this.#isLeaving = true;
    this.output.add(goawayFrame(this.#session.lastStream, ErrorCode.noError));
    if (this.#session.isQuiet) this.#end();
  }

  onQuiet(): void {
    if (this.#isLeaving && !this.isGone) this.#end();
  }

  /** Does what is due by now. */
  check(now: number): void {
    if (this.#isClosing) {
      if (now >= this.#lingersUntil) this.socket.destroy();
      return;
    }
    if (this.#session.isOverdue(now)) return this.#abandon(ErrorCode.settingsTimeout);
    const { what, since } = this.#session.debt;
    const { headMs, idleMs } = this.#keeper.limits;
    if (what === "head" && now - since >= headMs) this.socket.destroy();
    else if (what === "request" && now - since >= idleMs) this.retire();
  }

  readonly #onBytes = (bytes: Buffer): void => {
    if (this.isGone) return;
    const rest = this.#preface === undefined ? bytes : this.#readPreface(this.#preface, bytes);
    if (rest === undefined) return void this.socket.destroy();
    const error = rest.length === 0 ? ErrorCode.noError : this.#frames.push(rest);
    if (error !== ErrorCode.noError) this.#abandon(error);
    else if (this.output.length > MAX_UNSENT_BYTES) this.socket.pause();
  };

  /** What follows it; undefined when it is not one. */
  #readPreface(before: Buffer, bytes: Buffer): Buffer | undefined {
    const preface = Buffer.concat([before, bytes]);
    const length = Math.min(preface.length, PREFACE.length);
    if (preface.compare(PREFACE, 0, length, 0, length) !== 0) return undefined;
    this.#preface = length < PREFACE.length ? preface : undefined;
    return preface.subarray(length);
  }

  readonly #onDrain = (): void => {
    this.#session.sender.run();
    if (!this.#isClosing) this.socket.resume();
  };

  readonly #onClose = (): void => {
    this.#isClosing = true;
    this.#keeper.remove(this);
    this.#session.onGone();
  };

  /** Ends a connection whose client broke the protocol, or makes more work than it asks for. */
  #abandon(code: number): void {
    if (this.isGone) return;
    this.#keeper.onError(code);
    this.output.add(goawayFrame(this.#session.lastStream, code));
    this.#end();
    this.#session.onGone();
  }

  #end(): void {
    this.output.flush();
    this.#isClosing = true;
    this.#lingersUntil = performance.now() + LINGER_MS;
    this.socket.resume();
    this.socket.end();
  }
}

function ignore(): void {}
