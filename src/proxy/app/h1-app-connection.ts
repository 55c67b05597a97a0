import type { Duplex } from "node:stream";
import { AnswerParser, type ParserState } from "./answer-parser.ts";
import type { AnswerHandler, AppConnection, AppFailure, AppRequest, AppRequestHead } from "../app-request.ts";
import type { ParsedHead } from "./answer-head.ts";
import { GatheredWrites } from "../flow/gathered-writes.ts";
import { waitForTurn, type TurnTaker } from "../flow/turn.ts";
import { fieldLines } from "../http/field-lines.ts";
import { REQUEST_ID } from "../http/request-id.ts";

/** Idle connections are kept this long at most, or as the application's Keep-Alive field says. */
const MAX_IDLE_MS = 30_000;
/** An application that names its limit closes then; a request must not cross with that. */
const IDLE_MARGIN_MS = 1000;

export interface ConnectionPool {
  /** The connection can take another request. */
  release(connection: H1AppConnection): void;
  remove(connection: H1AppConnection): void;
}

/** A kept-alive HTTP/1.1 connection into a guest; one request at a time. */
export class H1AppConnection implements AppConnection, AppRequest, TurnTaker {
  readonly port: number;
  readonly stream: Duplex;
  readonly #pool: ConnectionPool;
  readonly #output: GatheredWrites;
  #parser: AnswerParser | undefined;
  #lastAnswer: ParsedHead | undefined;
  #handler: AnswerHandler | undefined;
  #isChunked = false;
  #isSent = true;
  #beginning: Buffer[] = [];
  #isUntouched = true;
  #uses = 0;
  #idleSince = 0;
  #maxIdleMs = MAX_IDLE_MS;

  constructor(stream: Duplex, port: number, pool: ConnectionPool) {
    this.stream = stream;
    this.port = port;
    this.#pool = pool;
    this.#output = new GatheredWrites(stream);
    stream.on("data", this.#onBytes);
    stream.on("end", this.#onStreamEnd);
    stream.on("error", this.#onBroken);
    stream.on("close", this.#onBroken);
    stream.on("drain", this.#onDrain);
  }

  get isReused(): boolean {
    return this.#uses > 1;
  }

  /** Whether it may be used by a request that came `now`; `freshMs` narrows it further. */
  isUsable(now: number, freshMs: number): boolean {
    return !this.stream.destroyed && now - this.#idleSince < Math.min(this.#maxIdleMs, freshMs);
  }

  send(head: AppRequestHead, handler: AnswerHandler): AppRequest {
    this.#uses++;
    this.#handler = handler;
    this.#parser = new AnswerParser(head.method, handler, { allowsSwitch: head.isUpgrade, before: this.#lastAnswer });
    this.#isChunked = head.body === "chunked";
    this.#isSent = head.body === "none";
    this.#isUntouched = true;
    this.#output.add(serializeHead(head));
    return this;
  }

  write(chunk: Buffer): boolean {
    this.#output.flush();
    if (!this.#isChunked) return this.stream.write(chunk);
    if (chunk.length === 0) return true; // an empty chunk would end the body
    this.stream.cork();
    this.stream.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.stream.write(chunk);
    const canTakeMore = this.stream.write("\r\n", "latin1");
    this.stream.uncork();
    return canTakeMore;
  }

  end(rawTrailers: readonly string[]): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#output.flush();
    if (this.#isChunked) this.stream.write(`0\r\n${fieldLines(rawTrailers)}\r\n`, "latin1");
  }

  resume(): void {
    if (this.#parser === undefined) return;
    this.#parser.isHeld = false;
    this.stream.resume();
  }

  discard(): void {
    this.destroy();
  }

  destroy(): void {
    this.#beginning = [];
    this.#handler = undefined;
    this.#parser = undefined;
    this.#pool.remove(this);
    this.stream.destroy();
  }

  /** The beginning of an answer waits for its turn. */
  readonly #onBytes = (bytes: Buffer): void => {
    if (this.#parser === undefined || !this.#isUntouched) return this.#read(bytes);
    if (this.#beginning.push(bytes) === 1) waitForTurn(this);
  };

  onTurn(): void {
    const parts = this.#beginning;
    if (parts.length === 0) return;
    this.#beginning = [];
    this.#read(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
  }

  #read(bytes: Buffer): void {
    const parser = this.#parser;
    if (parser === undefined) return this.destroy(); // unasked bytes would answer the next request
    this.#isUntouched = false;
    const state = parser.push(bytes);
    if (this.#parser !== parser) return; // given up meanwhile
    if (state !== "reading") return this.#conclude(state);
    if (parser.isHeld) this.stream.pause();
  }

  readonly #onStreamEnd = (): void => {
    this.onTurn();
    if (this.#parser === undefined) return this.destroy();
    this.#conclude(this.#parser.end());
  };

  readonly #onBroken = (): void => {
    this.onTurn();
    if (this.#parser === undefined) this.destroy();
    else this.#conclude("reading");
  };

  readonly #onDrain = (): void => this.#handler?.onAppDrain();

  /** "reading" here means that the connection ended within an answer. */
  #conclude(state: ParserState): void {
    if (state === "done") return this.#finish();
    if (state === "switched") return this.#switch();
    const handler = this.#handler;
    const isUntouched = this.#isUntouched;
    this.destroy();
    handler?.onFailed(failureOf(state, isUntouched));
  }

  #switch(): void {
    const { stream } = this;
    const parser = this.#parser;
    const handler = this.#handler;
    this.#handler = undefined;
    this.#parser = undefined;
    this.#pool.remove(this);
    stream.off("data", this.#onBytes).off("end", this.#onStreamEnd).off("drain", this.#onDrain);
    stream.off("close", this.#onBroken).off("error", this.#onBroken);
    stream.pause();
    if (parser !== undefined && parser.rest.length > 0) stream.unshift(parser.rest);
    if (parser?.head !== undefined) handler?.onSwitch(parser.head, stream);
  }

  #finish(): void {
    const parser = this.#parser;
    const handler = this.#handler;
    const head = parser?.head;
    this.#parser = undefined;
    this.#handler = undefined;
    this.#lastAnswer = head;
    // An answer before the request was whole stands; the rest of the request finds no reader.
    if (head?.mayKeepAlive === true && this.#isSent && parser?.rest.length === 0 && !this.stream.destroyed) {
      this.#idleSince = performance.now();
      if (head.keepAliveSeconds !== undefined)
        this.#maxIdleMs = Math.min(MAX_IDLE_MS, head.keepAliveSeconds * 1000 - IDLE_MARGIN_MS);
      this.stream.resume();
      this.#pool.release(this);
    } else this.destroy();
    handler?.onEnd(parser?.trailers ?? []);
  }
}

function failureOf(state: ParserState, isUntouched: boolean): AppFailure {
  if (state === "wants-tls") return { failed: "wants-tls" };
  return state === "reading" ? { failed: "closed", isUntouched } : { failed: "nonsense" };
}

/** A request head as it goes out; names and values were checked on the way in. */
function serializeHead({ method, path, fields, requestId }: AppRequestHead): string {
  return `${method} ${path} HTTP/1.1\r\n${fields.lines}${REQUEST_ID}: ${requestId}\r\n\r\n`;
}
