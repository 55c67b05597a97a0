import type { TLSSocket } from "node:tls";
import { LINGER_MS, type ClientLimits } from "./client-limits.ts";
import { parseClientHead, type ClientHead } from "./client-head.ts";
import type { BodyReader } from "../client-exchange.ts";
import { GatheredWrites } from "../flow/gathered-writes.ts";
import { waitForTurn, type TurnTaker } from "../flow/turn.ts";
import { H1ClientExchange, type H1Carrier } from "./h1-client-exchange.ts";
import { H1RequestBody } from "./h1-request-body.ts";
import { findHeadEnd, HEAD_END } from "../http/head-end.ts";
import { serverNameOf } from "./server-name.ts";
import { rawRefusal, type Refusal } from "../refusal.ts";

const MAX_HEAD_BYTES = 32 * 1024;
/** Bytes held for later: a head that is read ahead, or what follows an upgrade. */
const MAX_HELD_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const MALFORMED: Refusal = { refused: "malformed", why: "not valid HTTP/1.1" };
/** Reads what nobody wants. */
const NOBODY: BodyReader = { onBody() {}, onBodyEnd() {} };

/** Who keeps the connections. */
export interface H1Keeper {
  readonly limits: ClientLimits;
  /** How the head of an answer ends after which another request may come. */
  readonly keepAliveLines: string;
  serve(exchange: H1ClientExchange): void;
  nextId(): string;
  /** The connection is gone, or has left HTTP. */
  remove(connection: H1ClientConnection): void;
}

/**
 * A client's connection that speaks HTTP/1.x: requests one after the other, each answered before the next one begins, however
 * many are sent ahead.
 */
export class H1ClientConnection implements H1Carrier, TurnTaker {
  readonly socket: TLSSocket;
  readonly serverName: string | undefined;
  readonly output: GatheredWrites;
  readonly #keeper: H1Keeper;
  /** Received and not yet understood; the first `#known` bytes hold no end of a head. */
  #pending: Buffer = NOTHING;
  #known = 0;
  #last: ClientHead | undefined;
  /** Read, and waiting for its turn. */
  #next: ClientHead | Refusal | undefined;
  #exchange: H1ClientExchange | undefined;
  #body: H1RequestBody | undefined;
  #isAdvancing = false;
  #isHeld = false;
  /** For its turn, with a request that may have come. */
  #isWaiting = false;
  #isLast = false;
  #isClosing = false;
  /** By `performance.now()`; what happens then depends on what the client owes. */
  #deadline: number;
  #hasServed = false;

  constructor(socket: TLSSocket, keeper: H1Keeper) {
    this.socket = socket;
    this.#keeper = keeper;
    this.output = new GatheredWrites(socket);
    this.#deadline = performance.now() + keeper.limits.headMs;
    this.serverName = serverNameOf(socket);
    socket.on("data", this.#onBytes);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", ignore); // "close" follows, and says the same
    socket.on("close", this.#onClose);
  }

  get keepAliveLines(): string {
    return this.#keeper.keepAliveLines;
  }

  get trailers(): readonly string[] {
    return this.#body?.trailers ?? [];
  }

  get isRequestWhole(): boolean {
    return this.#body === undefined || this.#body.isWhole;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Closes it as soon as nothing is under way. */
  retire(): void {
    this.#isLast = true;
    if (this.#exchange === undefined) this.close();
  }

  get isLast(): boolean {
    return this.#isLast;
  }

  /** Does what is due by now. */
  check(now: number): void {
    if (now < this.#deadline) return;
    const isIdle = this.#hasServed && this.#pending.length === 0;
    if (this.#isClosing || this.#body !== undefined) this.socket.destroy();
    else if (isIdle) this.close();
    else this.#refuse({ refused: "request-timeout" });
  }

  readBody(reader: BodyReader): void {
    if (this.#body === undefined) return reader.onBodyEnd();
    this.#body.reader = reader;
    this.resume();
    this.#advance();
  }

  pause(): void {
    this.#isHeld = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.socket.resume();
  }

  onAnswered(mayKeepAlive: boolean): void {
    this.#exchange = undefined;
    this.#hasServed = true;
    if (this.socket.destroyed) return;
    if (!mayKeepAlive || this.#isLast) return this.close();
    if (this.isRequestWhole) this.#body = undefined;
    if (this.#body !== undefined) this.#body.reader = NOBODY;
    const { idleMs, headMs } = this.#keeper.limits;
    this.#deadline = performance.now() + (this.#body !== undefined ? LINGER_MS : idleMs);
    this.resume();
    if (this.#pending.length === 0 && this.#next === undefined) return;
    if (this.#body === undefined) this.#deadline = performance.now() + headMs;
    this.#advance();
  }

  release(): TLSSocket {
    const { socket } = this;
    this.output.flush();
    socket.off("data", this.#onBytes).off("end", this.#onEnd).off("drain", this.#onDrain);
    socket.off("error", ignore).off("close", this.#onClose);
    socket.pause();
    this.#exchange = undefined;
    this.#keeper.remove(this);
    if (this.#pending.length > 0) socket.unshift(this.#pending);
    return socket;
  }

  /** Ends the connection after what was written. */
  close(): void {
    const { socket } = this;
    if (this.#isClosing) return;
    const isQuiet = this.isRequestWhole && this.#pending.length === 0 && this.#next === undefined;
    this.#isClosing = true;
    this.#pending = NOTHING;
    this.#next = undefined;
    this.#deadline = performance.now() + this.#keeper.limits.idleMs;
    this.resume();
    this.output.flush();
    socket.end(() => {
      if (isQuiet) socket.destroy();
      this.#deadline = performance.now() + LINGER_MS;
    });
  }

  /** Between requests, what comes waits for its turn. */
  readonly #onBytes = (bytes: Buffer): void => {
    this.onTurn();
    if (this.#isClosing) return;
    const isFirst = this.#pending.length === 0;
    this.#pending = isFirst ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#isWaiting = isFirst && this.#body === undefined && this.#exchange === undefined;
    if (this.#isWaiting) waitForTurn(this);
    else this.#goOn();
  };

  onTurn(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#goOn();
  }

  #goOn(): void {
    this.#advance();
    if (this.#pending.length > MAX_HELD_BYTES || this.#next !== undefined) this.pause();
  }

  /** A client that ends its side in the middle of an exchange has left; node's TLS sockets know no half-open state. */
  readonly #onEnd = (): void => {
    this.onTurn();
    if (this.#exchange !== undefined) this.socket.destroy();
  };

  readonly #onDrain = (): void => this.#exchange?.onDrain();

  readonly #onClose = (): void => {
    this.#isClosing = true;
    this.#keeper.remove(this);
    this.#exchange?.onGone();
  };

  /** Goes on with what has come; not by recursion, as requests sent ahead may be many and refused at once. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#step());
    this.#isAdvancing = false;
  }

  /** False when something else must happen first. */
  #step(): boolean {
    if (this.#isClosing || this.socket.destroyed) return false;
    if (this.#body?.isWhole === false) return this.#readBody(this.#body);
    if (this.#exchange?.upgrade !== undefined) return false;
    this.#next ??= this.#readHead();
    if (this.#next === undefined) return false;
    if (this.#exchange !== undefined) return this.#lookAhead(this.#next);
    this.#begin(this.#next);
    return true;
  }

  #readBody(body: H1RequestBody): boolean {
    const bytes = this.#pending;
    if (bytes.length === 0) return false;
    if (body.reader === undefined) {
      this.pause();
      return false;
    }
    this.#pending = NOTHING;
    const end = body.push(bytes);
    if (end < 0) {
      this.socket.destroy(); // its place in the stream of requests is lost
      return false;
    }
    if (this.#isClosing) return false;
    if (end < bytes.length) this.#pending = bytes.subarray(end);
    if (!body.isWhole) return false;
    if (this.#exchange === undefined) {
      this.#body = undefined;
      this.#deadline = performance.now() + this.#keeper.limits.idleMs;
    }
    return true;
  }

  /** Reads the next head, if all of it is there. */
  #readHead(): ClientHead | Refusal | undefined {
    this.#skipEmptyLines();
    const bytes = this.#pending;
    if (bytes.length === 0) return undefined;
    const end = findHeadEnd(bytes, this.#known, MAX_HEAD_BYTES);
    if (end === "incomplete") {
      if (this.#known === 0 && this.#hasServed) this.#deadline = performance.now() + this.#keeper.limits.headMs;
      this.#known = bytes.length;
      return undefined;
    }
    this.#known = 0;
    if (end === "too-large") return { refused: "header-too-large" };
    if (end === "malformed") return MALFORMED;
    const next = end + HEAD_END.length;
    this.#pending = next === bytes.length ? NOTHING : bytes.subarray(next);
    return parseClientHead(bytes.toString("latin1", 0, end), this.#last);
  }

  /** Before a request line they mean nothing (RFC 9112, 2.2). */
  #skipEmptyLines(): void {
    let at = 0;
    const bytes = this.#pending;
    while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
    if (at === 0) return;
    this.#pending = bytes.subarray(at);
    this.#known = 0;
  }

  /** An upgrade behind an unanswered request would let its bytes overtake the answer. */
  #lookAhead(next: ClientHead | Refusal): false {
    if (!("refused" in next) && next.upgrade !== undefined) this.socket.destroy();
    return false;
  }

  #begin(head: ClientHead | Refusal): void {
    this.#next = undefined;
    if ("refused" in head) return this.#refuse(head);
    this.#deadline = Number.POSITIVE_INFINITY;
    const { length } = head.fields;
    this.#last = head;
    this.#body = length === 0 ? undefined : new H1RequestBody(length);
    const exchange = new H1ClientExchange(this, head, this.#keeper.nextId());
    this.#exchange = exchange;
    this.#keeper.serve(exchange);
  }

  #refuse(refusal: Refusal): void {
    this.output.add(rawRefusal(refusal, this.#keeper.nextId()));
    this.close();
  }
}

function ignore(): void {}
