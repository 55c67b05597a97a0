import { constants, type ServerHttp2Stream } from "node:http2";
import type { AnswerHead } from "../app-request.ts";
import type { RequestHead } from "../request-head.ts";
import type { BodyReader, ClientExchange, ClientListener, RefusalMessage } from "../client-exchange.ts";
import type { OutgoingFields } from "../http/outgoing-fields.ts";
import { REQUEST_ID } from "../http/request-id.ts";
import { trailerObject } from "../http/trailer-object.ts";

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** A request's head over HTTP/2, its pseudo-header fields apart. */
export interface H2RequestHead {
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  /** Of an extended CONNECT (RFC 8441). */
  readonly protocol: string | undefined;
}

/** A request over HTTP/2. */
export class H2ClientExchange implements ClientExchange {
  readonly requestId: string;
  readonly version = "2";
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly serverName: string | undefined;
  readonly upgrade: string | undefined;
  readonly isBodyless: boolean;
  readonly #stream: ServerHttp2Stream;
  head: RequestHead | undefined;
  listener: ClientListener | undefined;
  status = 0;
  begunAt: number | undefined;
  #trailers: readonly string[] = [];
  /** A part of the answer. */
  #held: Buffer | undefined;
  #answerTrailers: readonly string[] = [];

  constructor(stream: ServerHttp2Stream, head: H2RequestHead, requestId: string, serverName: string | undefined) {
    this.#stream = stream;
    this.requestId = requestId;
    this.serverName = serverName;
    this.method = head.protocol === undefined ? head.method : "GET";
    this.path = head.path;
    this.rawHeaders = head.rawHeaders;
    this.upgrade = head.protocol;
    this.isBodyless = stream.endAfterHeaders;
    stream.on("close", this.#onClose);
    stream.on("drain", () => this.listener?.onClientDrain());
    stream.on("error", ignore); // "close" follows, and says the same
    if (!this.isBodyless) stream.on("trailers", (_headers, _flags, raw) => void (this.#trailers = raw));
  }

  get isDone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get isBegun(): boolean {
    return this.#stream.headersSent;
  }

  get unsentBytes(): number {
    return this.#stream.writableLength + (this.#held?.length ?? 0);
  }

  get isBodyPaused(): boolean {
    return this.#stream.isPaused();
  }

  readBody(reader: BodyReader): void {
    this.#stream.on("data", (chunk: Buffer) => reader.onBody(chunk));
    this.#stream.once("end", () => reader.onBodyEnd());
  }

  pauseBody(): void {
    this.#stream.pause();
  }

  resumeBody(): void {
    this.#stream.resume();
  }

  requestTrailers(): readonly string[] {
    return this.#trailers;
  }

  sendContinue(): void {
    this.#inform({ ":status": 100 });
  }

  sendEarlyHints(links: readonly string[]): void {
    this.#inform({ ":status": 103, link: [...links] });
  }

  begin({ status, framing }: AnswerHead, { list }: OutgoingFields): boolean {
    const waitForTrailers = framing === "chunked";
    try {
      const fields = fieldsOf(status, [...list, REQUEST_ID, this.requestId]);
      this.#stream.respond(fields, { endStream: framing === "none", waitForTrailers });
    } catch {
      return false;
    }
    this.#onBegun(status);
    if (waitForTrailers) this.#stream.once("wantTrailers", this.#sendTrailers);
    return true;
  }

  /** Held until the end of this turn: a last chunk and the end go out as one frame. */
  write(chunk: Buffer): boolean {
    this.#writeHeld();
    this.#held = chunk;
    process.nextTick(this.#writeHeld);
    return !this.#stream.writableNeedDrain;
  }

  finish(rawTrailers: readonly string[]): void {
    this.#answerTrailers = rawTrailers;
    if (this.#stream.writableEnded) return this.#stopRequest();
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) this.#stream.end(this.#stopRequest);
    else this.#stream.end(held, this.#stopRequest);
  }

  cut(code: number = NGHTTP2_INTERNAL_ERROR): void {
    this.#stream.close(code);
  }

  reply({ status, headers, body }: RefusalMessage): void {
    try {
      this.#stream.respond({ ":status": status, ...headers }, { endStream: body === "" });
    } catch {
      return this.cut();
    }
    this.#onBegun(status);
    if (body === "") this.#stopRequest();
    else this.#stream.end(body, this.#stopRequest);
  }

  switchProtocols(headers: readonly string[]): ServerHttp2Stream {
    this.#stream.off("close", this.#onClose);
    const fields = fieldsOf(200, headers);
    const accept = fields.indexOf("sec-websocket-accept"); // of HTTP/1.1 only (RFC 8441, 5)
    if (accept > 0) fields.splice(accept, 2);
    this.#stream.respond(fields);
    this.#onBegun(200);
    return this.#stream;
  }

  readonly #writeHeld = (): void => {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !this.isDone) this.#stream.write(held);
  };

  #onBegun(status: number): void {
    this.status = status;
    this.begunAt = performance.now();
  }

  #inform(headers: { ":status": number; link?: string[] }): void {
    if (this.isDone || this.#stream.headersSent) return;
    try {
      this.#stream.additionalHeaders(headers);
    } catch {
      // A hint that cannot be sent is only a hint lost.
    }
  }

  readonly #sendTrailers = (): void => {
    try {
      this.#stream.sendTrailers(trailerObject(this.#answerTrailers));
    } catch {
      this.cut();
    }
  };

  /** The answer is whole, and nobody reads the rest of the request (RFC 9113, 8.1). */
  readonly #stopRequest = (): void => {
    if (!this.isBodyless && !this.#stream.readableEnded && !this.isDone) this.#stream.close(NGHTTP2_NO_ERROR);
  };

  readonly #onClose = (): void => this.listener?.onDone();
}

/** Field names in lower case, as HTTP/2 has them. */
function fieldsOf(status: number, headers: readonly string[]): string[] {
  const fields = [":status", String(status)];
  for (let i = 0; i + 1 < headers.length; i += 2) fields.push(headers[i]?.toLowerCase() ?? "", headers[i + 1] ?? "");
  return fields;
}

function ignore(): void {}
