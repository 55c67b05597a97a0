import type { AnswerHead } from "../app-request.ts";
import type { BodyReader, ClientExchange, ClientListener, RefusalMessage } from "../client-exchange.ts";
import type { TurnTaker } from "../flow/turn.ts";
import { httpDate } from "../http/http-date.ts";
import type { OutgoingFields } from "../http/outgoing-fields.ts";
import { REQUEST_ID } from "../http/request-id.ts";
import type { BodySender } from "../http2/body-sender.ts";
import { ErrorCode } from "../http2/frames.ts";
import { encodeFields, encodeStatus, fieldEncoder } from "../http2/hpack/field-encoder.ts";
import type { StreamInput } from "../http2/stream-input.ts";
import { type OutputListener, StreamOutput } from "../http2/stream-output.ts";
import type { RequestHead } from "../request-head.ts";
import type { H2RequestHead } from "./h2-request-head.ts";
import { H2Tunnel } from "./h2-tunnel.ts";

const encodeRequestId = fieldEncoder(REQUEST_ID);
const encodeDate = fieldEncoder("date");

/** The connection that carries an exchange. */
export interface H2Carrier {
  /** The TLS server name; undefined when the client sent none. */
  readonly serverName: string | undefined;
  readonly isGone: boolean;
  /** Bytes that have not left yet, of all its streams. */
  readonly unsentBytes: number;
  readonly sender: BodySender;
  serve(exchange: H2ClientExchange): void;
  sendHead(stream: number, block: string, isLast: boolean): void;
  /** Gives a stream up, with this code; nothing is called any more. */
  reset(exchange: H2ClientExchange, code: number): void;
  /** Ends the stream, if both sides of it have. */
  settle(exchange: H2ClientExchange): void;
}

/** What came of a request so far, and how much the client takes of its answer. */
interface H2Stream {
  readonly id: number;
  readonly head: H2RequestHead;
  readonly input: StreamInput;
  readonly sendWindow: number;
}

/** A request over HTTP/2. */
export class H2ClientExchange implements ClientExchange, OutputListener, TurnTaker {
  readonly stream: number;
  readonly requestId: string;
  readonly version = "2";
  readonly input: StreamInput;
  readonly output: StreamOutput;
  readonly isBodyless: boolean;
  readonly #carrier: H2Carrier;
  readonly #head: H2RequestHead;
  listener: ClientListener | undefined;
  status = 0;
  begunAt: number | undefined;
  /** All of the answer is out. */
  isAnswered = false;
  #tunnel: H2Tunnel | undefined;
  /** The answer has no body. */
  #endsWithHead = false;
  #isDone = false;

  constructor(carrier: H2Carrier, { id, head, input, sendWindow }: H2Stream, requestId: string) {
    this.#carrier = carrier;
    this.#head = head;
    this.stream = id;
    this.input = input;
    this.output = new StreamOutput(id, sendWindow, this);
    this.requestId = requestId;
    this.isBodyless = input.isWhole;
  }

  get method(): string {
    const { method, protocol } = this.#head.fields;
    return protocol === undefined ? method : "GET";
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
    return this.#carrier.serverName;
  }

  get upgrade(): string | undefined {
    return this.#head.fields.protocol;
  }

  get isDone(): boolean {
    return this.#isDone || this.#carrier.isGone;
  }

  get isBegun(): boolean {
    return this.status !== 0;
  }

  get unsentBytes(): number {
    return this.output.bytes + this.#carrier.unsentBytes;
  }

  get isBodyPaused(): boolean {
    return this.input.isPaused;
  }

  /** Whether what comes and goes is not HTTP any more. */
  get isTunnel(): boolean {
    return this.#tunnel !== undefined;
  }

  onTurn(): void {
    if (!this.isDone) this.#carrier.serve(this);
  }

  readBody(reader: BodyReader): void {
    this.input.read(reader);
  }

  pauseBody(): void {
    this.input.pause();
  }

  resumeBody(): void {
    this.input.resume();
  }

  requestTrailers(): readonly string[] {
    return this.input.trailers;
  }

  sendContinue(): void {
    this.#inform(100, []);
  }

  sendEarlyHints(links: readonly string[]): void {
    this.#inform(
      103,
      links.flatMap((link) => ["link", link]),
    );
  }

  begin({ status, framing }: AnswerHead, fields: OutgoingFields): boolean {
    if (this.isDone || this.isBegun) return false;
    let block = encodeStatus(status) + fields.block + encodeRequestId(this.requestId);
    if (!fields.hasDate) block += encodeDate(httpDate());
    this.#sendHead(status, block, framing === "none");
    return true;
  }

  /** A last chunk and the end of the answer go out as one frame when both come in this turn. */
  write(chunk: Buffer): boolean {
    return this.isDone || this.#carrier.sender.send(this.output, chunk);
  }

  finish(rawTrailers: readonly string[]): void {
    if (this.isDone || this.output.isEnded) return;
    this.output.isEnded = true;
    if (this.#endsWithHead) return this.onSent();
    if (rawTrailers.length > 0) this.output.trailers = encodeFields(rawTrailers);
    this.#carrier.sender.schedule(this.output);
  }

  cut(code: number = ErrorCode.internalError): void {
    if (this.isDone) return;
    this.#carrier.reset(this, code);
  }

  reply({ status, headers, body }: RefusalMessage): void {
    if (this.isDone || this.isBegun) return;
    const fields = [...Object.entries(headers).flat(), "date", httpDate()];
    this.#sendHead(status, encodeStatus(status) + encodeFields(fields), body === "" || this.method === "HEAD");
    if (!this.#endsWithHead) this.output.add(Buffer.from(body));
    this.finish([]);
  }

  switchProtocols(headers: readonly string[]): H2Tunnel {
    const fields: string[] = [];
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i] ?? "";
      // Of HTTP/1.1 only (RFC 8441, 5).
      if (name.toLowerCase() !== "sec-websocket-accept") fields.push(name, headers[i + 1] ?? "");
    }
    this.#sendHead(200, encodeStatus(200) + encodeFields(fields), false);
    this.#tunnel = new H2Tunnel(this.#carrier.sender, this);
    return this.#tunnel;
  }

  onDrain(): void {
    if (this.#tunnel === undefined) this.listener?.onClientDrain();
    else this.#tunnel.onDrain();
  }

  onSent(): void {
    this.isAnswered = true;
    this.#carrier.settle(this);
    if (this.#tunnel === undefined) this.listener?.onDone();
    else this.#tunnel.onSent();
  }

  /** The stream has ended in good order; a tunnel may still hold some of what came. */
  onSettled(): void {
    this.#isDone = true;
    if (this.#tunnel === undefined) this.input.drop();
  }

  /** The stream is no more. */
  onGone(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.input.drop();
    this.output.drop();
    if (this.#tunnel === undefined) this.listener?.onDone();
    else this.#tunnel.destroy();
  }

  #inform(status: number, fields: readonly string[]): void {
    if (!this.isDone && !this.isBegun)
      this.#carrier.sendHead(this.stream, encodeStatus(status) + encodeFields(fields), false);
  }

  #sendHead(status: number, block: string, isLast: boolean): void {
    this.#endsWithHead = isLast;
    this.status = status;
    this.begunAt = performance.now();
    this.#carrier.sendHead(this.stream, block, isLast);
  }
}
