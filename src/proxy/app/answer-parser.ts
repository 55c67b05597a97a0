import { parseAnswerHead, type ParsedHead } from "./answer-head.ts";
import type { AnswerHandler } from "../app-request.ts";
import { ChunkDecoder } from "../http/chunk-decoder.ts";

/** Response header bytes taken from an application. */
const MAX_HEAD_BYTES = 64 * 1024;
/** Interim answers before the final one; an application could send them for ever. */
const MAX_INTERIM = 64;
const HEAD_END = Buffer.from("\r\n\r\n");
/** First bytes of a TLS alert record. */
const TLS_ALERT = 0x15;
const TLS_MAJOR = 0x03;
const NOTHING = Buffer.alloc(0);

/** What a parser has come to. */
export type ParserState = "reading" | "done" | "nonsense" | "wants-tls" | "switched";

interface ParserOptions {
  /** Whether the application may leave HTTP; it may not. */
  readonly allowsSwitch?: boolean;
  /** The head of the answer before on the same connection. */
  readonly before?: ParsedHead | undefined;
}

/** Reads one HTTP/1.1 answer to a request and tells the handler; for "switched" and "done", `rest` is what follows. */
export class AnswerParser {
  readonly #method: string;
  readonly #handler: Pick<AnswerHandler, "onContinue" | "onInformation" | "onHead" | "onData">;
  readonly #allowsSwitch: boolean;
  readonly #before: ParsedHead | undefined;
  #pending: Buffer = NOTHING;
  #head: ParsedHead | undefined;
  #left = 0;
  #chunks: ChunkDecoder | undefined;
  #interim = 0;
  #state: ParserState = "reading";
  #rest: Buffer = NOTHING;
  /** Whether the client cannot take more. */
  isHeld = false;

  constructor(
    method: string,
    handler: Pick<AnswerHandler, "onContinue" | "onInformation" | "onHead" | "onData">,
    { allowsSwitch = false, before }: ParserOptions = {},
  ) {
    this.#method = method;
    this.#handler = handler;
    this.#allowsSwitch = allowsSwitch;
    this.#before = before;
  }

  /** The final head, or that of a 101. */
  get head(): ParsedHead | undefined {
    return this.#head;
  }

  get rest(): Buffer {
    return this.#rest;
  }

  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? [];
  }

  /** Takes what the application sent. */
  push(bytes: Buffer): ParserState {
    if (this.#state !== "reading") return this.#state;
    this.#state = this.#head === undefined ? this.#readHeads(bytes) : this.#readBody(bytes, 0);
    return this.#state;
  }

  /** The application has ended its side: "done" if that ends the answer. */
  end(): ParserState {
    if (this.#state === "reading" && this.#head?.framing === "until-close") this.#state = "done";
    return this.#state;
  }

  #readHeads(bytes: Buffer): ParserState {
    const known = this.#pending.length;
    let all = known === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (all[0] === TLS_ALERT && all[1] === TLS_MAJOR) return "wants-tls";
    let from = Math.max(0, known - HEAD_END.length);
    for (;;) {
      const end = all.indexOf(HEAD_END, from);
      if (end > MAX_HEAD_BYTES || (end < 0 && all.length > MAX_HEAD_BYTES)) return "nonsense";
      if (end < 0) {
        this.#pending = all;
        return isPlausible(all) ? "reading" : "nonsense";
      }
      const head = parseAnswerHead(all.toString("latin1", 0, end), this.#method, this.#before);
      if (head === undefined) return "nonsense";
      all = all.subarray(end + HEAD_END.length);
      from = 0;
      if (head.status === 101) return this.#switch(head, all);
      if (head.status >= 200) return this.#begin(head, all);
      if (++this.#interim > MAX_INTERIM) return "nonsense";
      if (head.status === 100) this.#handler.onContinue();
      else this.#handler.onInformation(head.status, head.rawHeaders);
    }
  }

  #switch(head: ParsedHead, rest: Buffer): ParserState {
    if (!this.#allowsSwitch) return "nonsense";
    this.#head = head;
    this.#rest = rest;
    return "switched";
  }

  #begin(head: ParsedHead, rest: Buffer): ParserState {
    this.#head = head;
    this.#pending = NOTHING;
    this.#left = head.length;
    if (head.framing === "chunked") this.#chunks = new ChunkDecoder((data) => this.#give(data));
    this.#handler.onHead(head);
    return this.#readBody(rest, 0);
  }

  #readBody(bytes: Buffer, from: number): ParserState {
    switch (this.#head?.framing) {
      case "sized": {
        const end = Math.min(bytes.length, from + this.#left);
        this.#left -= end - from;
        if (end > from) this.#give(end === bytes.length && from === 0 ? bytes : bytes.subarray(from, end));
        return this.#left === 0 ? this.#finish(bytes, end) : "reading";
      }
      case "chunked": {
        const end = this.#chunks?.push(bytes, from) ?? -1;
        if (end < 0) return "nonsense";
        return this.#chunks?.isDone === true ? this.#finish(bytes, end) : "reading";
      }
      case "until-close":
        if (bytes.length > from) this.#give(bytes.subarray(from));
        return "reading";
      default:
        return this.#finish(bytes, from);
    }
  }

  #finish(bytes: Buffer, end: number): ParserState {
    this.#rest = bytes.subarray(end);
    return "done";
  }

  #give(data: Buffer): void {
    if (!this.#handler.onData(data)) this.isHeld = true;
  }
}

/** Spares waiting for 64 KiB of what can never become a head. */
function isPlausible(bytes: Buffer): boolean {
  return "HTTP/1.".startsWith(bytes.toString("latin1", 0, 7)) || (bytes.length === 1 && bytes[0] === TLS_ALERT);
}
