import type { Duplex } from "node:stream";
import type { AnswerHead } from "./app-request.ts";
import type { OutgoingFields } from "./http/outgoing-fields.ts";
import type { RequestHead } from "./request-head.ts";

/** What a client's side tells whoever answers it. */
export interface ClientListener {
  /** The client can take more of the answer. */
  onClientDrain(): void;
  /** The answer is out, or the client is gone; nothing follows. */
  onDone(): void;
}

/** Who takes the body of a request. */
export interface BodyReader {
  onBody(chunk: Buffer): void;
  onBodyEnd(): void;
}

/** An answer of the proxy itself. */
export interface RefusalMessage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A client's connection or stream that has left HTTP. */
export interface ClientStream extends Duplex {
  setTimeout(milliseconds: number, listener: () => void): unknown;
}

/** One request of a client and the way its answer goes, whatever the HTTP version. */
export interface ClientExchange {
  readonly requestId: string;
  readonly version: "1.0" | "1.1" | "2";
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value …, as HTTP/1.1 has them: nothing merged, nothing dropped. */
  readonly rawHeaders: readonly string[];
  /** The TLS server name; undefined when the client sent none. */
  readonly serverName: string | undefined;
  /** The protocol the client wants to change to. */
  readonly upgrade: string | undefined;
  /** Whether the request ended with its head. */
  readonly isBodyless: boolean;
  /** What was read of these very fields before, by a client's connection that repeats them word for word. */
  head: RequestHead | undefined;
  listener: ClientListener | undefined;
  /** Of the final answer; 0 while there is none. */
  readonly status: number;
  /** When it began, by `performance.now()`. */
  readonly begunAt: number | undefined;
  /** Nothing can be sent any more. */
  readonly isDone: boolean;
  /** A final head is out. */
  readonly isBegun: boolean;
  /** Answer bytes that the client has not taken yet. */
  readonly unsentBytes: number;
  /** Nothing more of the body is taken from the client for now. */
  readonly isBodyPaused: boolean;
  /** Begins to hand over the body; until then it waits. A client that breaks off is told of by `onDone`. */
  readBody(reader: BodyReader): void;
  pauseBody(): void;
  resumeBody(): void;
  requestTrailers(): readonly string[];
  sendContinue(): void;
  sendEarlyHints(links: readonly string[]): void;
  /** Sends a final head, with the request's id; false when it cannot be sent on. */
  begin(head: AnswerHead, fields: OutgoingFields): boolean;
  /** False when the client cannot take more now: `onClientDrain` follows. */
  write(chunk: Buffer): boolean;
  finish(rawTrailers: readonly string[]): void;
  /** Ends an answer so that the client cannot take it for whole; `code` is one of HTTP/2. */
  cut(code?: number): void;
  /** Answers without an application. */
  reply(message: RefusalMessage): void;
  /** Changes protocols: what comes and goes from now on is not HTTP. */
  switchProtocols(headers: readonly string[], protocol: string): ClientStream;
}
