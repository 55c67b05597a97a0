import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { AnswerHandler, AppConnection, AppFailure, AppRequest, AppRequestHead } from "../app-request.ts";
import { REQUEST_ID } from "../http/request-id.ts";
import { trailerObject } from "./trailer-object.ts";

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_FLAG_END_STREAM } = constants;

/** How long an application may take to say that it speaks HTTP/2. */
const SETTINGS_TIMEOUT_MS = 10_000;
const MAX_IDLE_MS = 30_000;
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;
const MAX_HEADER_PAIRS = 1000;
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_SESSION_MEMORY_MB = 32;
/** Of one connection, which HTTP/2 has no fields for. */
const NOT_IN_H2 = new Set(["host", "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"]);

/** A connection to an application that speaks HTTP/2; many requests at once. */
export class H2AppSession implements AppConnection {
  readonly #session: ClientHttp2Session;
  readonly scheme: "http" | "https";
  readonly #streams = new Set<ClientHttp2Stream>();
  #uses = 0;

  private constructor(session: ClientHttp2Session, scheme: "http" | "https") {
    this.#session = session;
    this.scheme = scheme;
  }

  /** Resolves once the application has spoken HTTP/2; undefined when it does not. */
  static async open(stream: Duplex, scheme: "http" | "https"): Promise<H2AppSession | undefined> {
    const session = connect(`${scheme}://application`, {
      createConnection: () => stream,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: MAX_HEADER_BYTES },
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
    });
    const isUp = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), SETTINGS_TIMEOUT_MS);
      session.once("remoteSettings", () => resolve(true));
      session.once("close", () => resolve(false));
      session.on("error", () => resolve(false));
      session.once("close", () => clearTimeout(timer));
      session.once("remoteSettings", () => clearTimeout(timer));
    });
    if (!isUp || session.destroyed) {
      session.destroy();
      stream.destroy();
      return undefined;
    }
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    const opened = new H2AppSession(session, scheme);
    stream.once("end", () => opened.#onEnd());
    session.setTimeout(MAX_IDLE_MS, () => {
      if (opened.#streams.size === 0) session.close();
    });
    return opened;
  }

  get isReused(): boolean {
    return this.#uses > 1;
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  get hasRoom(): boolean {
    return this.#streams.size < (this.#session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
  }

  onClose(listener: () => void): void {
    this.#session.once("close", listener);
  }

  destroy(): void {
    this.#session.destroy();
  }

  discard(): void {
    // Others may use it, and it ends by itself when nobody does.
  }

  /** Relayed connections stay open on our side, so node does not see that the application is gone. */
  #onEnd(): void {
    for (const stream of this.#streams)
      if (stream.state.remoteClose !== 1) stream.destroy(new Error("the application is gone"));
    this.#session.close(); // answers that came whole are still read
  }

  send(head: AppRequestHead, handler: AnswerHandler): AppRequest {
    this.#uses++;
    const hasBody = head.body !== "none";
    const stream = this.#session.request(this.#fieldsOf(head), {
      endStream: !hasBody,
      waitForTrailers: hasBody,
    });
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    return new H2AppRequest(stream, handler);
  }

  #fieldsOf({ method, path, fields: { list }, requestId }: AppRequestHead): string[] {
    const fields = [":method", method, ":scheme", this.scheme, ":path", path];
    for (let i = 0; i + 1 < list.length; i += 2) {
      const name = list[i]?.toLowerCase() ?? "";
      if (name === "host") fields.unshift(":authority", list[i + 1] ?? "");
      else if (!NOT_IN_H2.has(name)) fields.push(name, list[i + 1] ?? "");
    }
    fields.push(REQUEST_ID, requestId);
    return fields;
  }
}

class H2AppRequest implements AppRequest {
  readonly #stream: ClientHttp2Stream;
  #handler: AnswerHandler | undefined;
  #trailers: readonly string[] = [];
  #requestTrailers: readonly string[] = [];
  #hasHead = false;

  constructor(stream: ClientHttp2Stream, handler: AnswerHandler) {
    this.#stream = stream;
    this.#handler = handler;
    stream.on("headers", (headers, _flags, raw) => this.#onInterim(headers[":status"], raw));
    stream.on("response", (headers, flags, raw) => this.#onHead(headers[":status"] ?? 0, flags, raw));
    stream.on("trailers", (_headers, _flags, raw) => void (this.#trailers = raw));
    stream.on("drain", () => this.#handler?.onAppDrain());
    stream.once("wantTrailers", this.#sendTrailers);
    stream.on("error", ignore); // "close" follows, with the code
    stream.once("close", () => this.#onClose());
  }

  write(chunk: Buffer): boolean {
    return this.#stream.write(chunk);
  }

  end(rawTrailers: readonly string[]): void {
    this.#requestTrailers = rawTrailers;
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  resume(): void {
    this.#stream.resume();
  }

  destroy(): void {
    this.#handler = undefined;
    this.#stream.close(NGHTTP2_CANCEL);
  }

  #onInterim(status: number | undefined, raw: readonly string[]): void {
    if (status === 100) this.#handler?.onContinue();
    else this.#handler?.onInformation(status ?? 0, withoutPseudo(raw));
  }

  #onHead(status: number, flags: number, raw: readonly string[]): void {
    this.#hasHead = true;
    const isEnd = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    // Trailers may follow a body of any kind here, as after chunks in HTTP/1.1.
    this.#handler?.onHead({ status, reason: "", rawHeaders: withoutPseudo(raw), framing: isEnd ? "none" : "chunked" });
    if (isEnd) {
      this.#stream.resume();
      return this.#onEnd();
    }
    this.#stream.on("data", this.#onData);
    this.#stream.once("end", this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#handler?.onData(chunk) === false) this.#stream.pause();
  };

  /** After the trailers, when there are any. */
  readonly #onEnd = (): void => {
    // A stream that breaks off ends as well; "close" tells.
    if (this.#stream.rstCode !== NGHTTP2_NO_ERROR || this.#stream.aborted) return;
    const handler = this.#handler;
    this.#handler = undefined;
    if (!this.#stream.writableEnded) this.#stream.close(NGHTTP2_NO_ERROR);
    handler?.onEnd(this.#trailers);
  };

  #onClose(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    const { rstCode: code } = this.#stream;
    this.#handler = undefined;
    handler.onFailed(failureOf(code, this.#hasHead));
  }

  readonly #sendTrailers = (): void => {
    try {
      this.#stream.sendTrailers(trailerObject(this.#requestTrailers));
    } catch {
      this.#stream.close(NGHTTP2_CANCEL);
    }
  };
}

function failureOf(code: number, hasHead: boolean): AppFailure {
  if (code === NGHTTP2_REFUSED_STREAM && !hasHead) return { failed: "closed", isUntouched: true };
  return code === NGHTTP2_NO_ERROR ? { failed: "closed", isUntouched: false } : { failed: "reset", code };
}

function withoutPseudo(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]?.startsWith(":") === false) kept.push(raw[i] ?? "", raw[i + 1] ?? "");
  return kept;
}

function ignore(): void {}
