import { STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import type { AnswerHead } from "../app-request.ts";
import type { BodyReader, ClientExchange, ClientListener, RefusalMessage } from "../client-exchange.ts";
import type { ClientHead } from "./client-head.ts";
import { fieldLines } from "../http/field-lines.ts";
import type { OutgoingFields } from "../http/outgoing-fields.ts";
import { REQUEST_ID } from "../http/request-id.ts";
import type { RequestHead } from "../request-head.ts";
import type { GatheredWrites } from "../flow/gathered-writes.ts";
import { httpDate } from "../http/http-date.ts";

/** After these nobody knows where the next request would begin, or the client is not to be trusted with one. */
const LAST_STATUSES = new Set([400, 405, 408, 431]);

/** The connection that carries an exchange. */
export interface H1Carrier {
  readonly socket: TLSSocket;
  /** The TLS server name; undefined when the client sent none. */
  readonly serverName: string | undefined;
  readonly output: GatheredWrites;
  /** How the head of an answer ends after which another request may come. */
  readonly keepAliveLines: string;
  /** Whether the connection ends with the present answer. */
  readonly isLast: boolean;
  /** Nothing is taken from the client for now. */
  readonly isHeld: boolean;
  readonly isRequestWhole: boolean;
  /** Of the request. */
  readonly trailers: readonly string[];
  readBody(reader: BodyReader): void;
  pause(): void;
  resume(): void;
  /** The answer to the present request is out. */
  onAnswered(mayKeepAlive: boolean): void;
  /** Gives the connection away; what the client sent after its request is read from it again. */
  release(): TLSSocket;
}

/** A request over HTTP/1.x. */
export class H1ClientExchange implements ClientExchange {
  readonly requestId: string;
  readonly #connection: H1Carrier;
  readonly #head: ClientHead;
  listener: ClientListener | undefined;
  status = 0;
  begunAt: number | undefined;
  #mayKeepAlive: boolean;
  #isChunked = false;
  #isFinished = false;
  #isDone = false;

  constructor(connection: H1Carrier, head: ClientHead, requestId: string) {
    this.#connection = connection;
    this.#head = head;
    this.requestId = requestId;
    this.#mayKeepAlive = head.mayKeepAlive && head.upgrade === undefined;
  }

  get version(): "1.0" | "1.1" {
    return this.#head.version;
  }

  get method(): string {
    return this.#head.method;
  }

  get path(): string {
    return this.#head.path;
  }

  get rawHeaders(): readonly string[] {
    return this.#head.fields.rawHeaders;
  }

  get head(): RequestHead | undefined {
    return this.#head.fields.head;
  }

  set head(head: RequestHead | undefined) {
    this.#head.fields.head = head;
  }

  get serverName(): string | undefined {
    return this.#connection.serverName;
  }

  get upgrade(): string | undefined {
    return this.#head.upgrade;
  }

  get isBodyless(): boolean {
    return this.#head.fields.length === 0;
  }

  get isDone(): boolean {
    return this.#isDone || this.#connection.socket.destroyed;
  }

  get isBegun(): boolean {
    return this.status !== 0;
  }

  get unsentBytes(): number {
    return this.#connection.output.length;
  }

  get isBodyPaused(): boolean {
    return this.#connection.isHeld;
  }

  readBody(reader: BodyReader): void {
    this.#connection.readBody(reader);
  }

  pauseBody(): void {
    if (!this.isDone) this.#connection.pause();
  }

  resumeBody(): void {
    if (!this.isDone) this.#connection.resume();
  }

  requestTrailers(): readonly string[] {
    return this.#connection.trailers;
  }

  sendContinue(): void {
    if (this.#head.expectsContinue && !this.isBegun) this.#connection.output.add("HTTP/1.1 100 Continue\r\n\r\n");
  }

  sendEarlyHints(links: readonly string[]): void {
    if (this.version === "1.0" || this.isBegun) return;
    const fields = fieldLines(links.flatMap((link) => ["Link", link]));
    this.#connection.output.add(`HTTP/1.1 103 Early Hints\r\n${fields}\r\n`);
  }

  begin({ status, reason, framing }: AnswerHead, fields: OutgoingFields): boolean {
    let text = `HTTP/1.1 ${status} ${reason || (STATUS_CODES[status] ?? "")}\r\n${fields.lines}${REQUEST_ID}: ${this.requestId}\r\n`;
    if (!fields.hasDate) text += `Date: ${httpDate()}\r\n`;
    if (!fields.hasLength) text += this.#framed(framing, status);
    this.#sendHead(status, text);
    return true;
  }

  write(chunk: Buffer): boolean {
    const { output, socket } = this.#connection;
    if (this.#isChunked && chunk.length > 0) {
      output.add(`${chunk.length.toString(16)}\r\n`);
      output.add(chunk);
      output.add("\r\n");
    } else output.add(chunk);
    return !socket.writableNeedDrain;
  }

  finish(rawTrailers: readonly string[]): void {
    if (this.isDone || this.#isFinished) return;
    const { output, socket } = this.#connection;
    if (this.#isChunked) output.add(`0\r\n${fieldLines(rawTrailers)}\r\n`);
    output.flush();
    this.#isFinished = true;
    if (!socket.writableNeedDrain) this.#end(); // else the client takes its time
  }

  cut(): void {
    this.#connection.socket.destroy();
  }

  reply({ status, headers, body }: RefusalMessage): void {
    // An unread body would be drained without an end, only to keep the connection.
    if (!this.#connection.isRequestWhole || LAST_STATUSES.has(status)) this.#mayKeepAlive = false;
    const fields = Object.entries(headers).flat();
    this.#sendHead(
      status,
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${fieldLines(fields)}Date: ${httpDate()}\r\n`,
    );
    if (body !== "" && this.method !== "HEAD") this.#connection.output.add(Buffer.from(body));
    this.finish([]);
  }

  switchProtocols(headers: readonly string[], protocol: string): TLSSocket {
    const fields = [...headers, "Connection", "Upgrade", "Upgrade", protocol];
    this.#connection.output.add(`HTTP/1.1 101 ${STATUS_CODES[101]}\r\n${fieldLines(fields)}\r\n`);
    this.#onBegun(101);
    this.#isDone = true;
    return this.#connection.release();
  }

  /** The connection has room again. */
  onDrain(): void {
    if (this.#isFinished) this.#end();
    else this.listener?.onClientDrain();
  }

  /** The connection is gone. */
  onGone(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.listener?.onDone();
  }

  /** How the client finds the end of a body that does not say its length; nothing for an answer without one. */
  #framed(framing: AnswerHead["framing"], status: number): string {
    if (framing === "none")
      return this.method === "HEAD" || status === 204 || status === 304 ? "" : "Content-Length: 0\r\n";
    if (this.version === "1.0") {
      this.#mayKeepAlive = false;
      return "";
    }
    this.#isChunked = true;
    return "Transfer-Encoding: chunked\r\n";
  }

  #sendHead(status: number, text: string): void {
    if (this.#connection.isLast) this.#mayKeepAlive = false;
    this.#connection.output.add(
      text + (this.#mayKeepAlive ? this.#connection.keepAliveLines : "Connection: close\r\n\r\n"),
    );
    this.#onBegun(status);
  }

  #onBegun(status: number): void {
    this.status = status;
    this.begunAt = performance.now();
  }

  #end(): void {
    this.#isDone = true;
    this.listener?.onDone();
    this.#connection.onAnswered(this.#mayKeepAlive);
  }
}
