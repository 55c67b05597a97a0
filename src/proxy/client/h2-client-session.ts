import type { GatheredWrites } from "../flow/gathered-writes.ts";
import { waitForTurn } from "../flow/turn.ts";
import { BodySender } from "../http2/body-sender.ts";
import type { FrameTaker } from "../http2/frame-reader.ts";
import {
  ErrorCode,
  Flag,
  type Frame,
  FrameType,
  headersFrames,
  MAX_WINDOW_BYTES,
  pingAnswer,
  readNumber31,
  resetFrame,
  Setting,
  SETTINGS_ACK,
  settingsFrame,
  windowUpdateFrame,
} from "../http2/frames.ts";
import { type HeaderBlock, HeaderBlocks } from "../http2/header-blocks.ts";
import { type DecodedFields, FieldDecoder } from "../http2/hpack/field-decoder.ts";
import { EMPTY_TABLE } from "../http2/hpack/field-encoder.ts";
import { PeerSettings } from "../http2/peer-settings.ts";
import { StreamInput } from "../http2/stream-input.ts";
import { WindowAgreement } from "../http2/window-agreement.ts";
import { sendRefusal } from "../refusal.ts";
import { Budget } from "./budget.ts";
import { H2ClientExchange, type H2Carrier } from "./h2-client-exchange.ts";
import { type H2RequestHead, readH2Head, readH2Trailers } from "./h2-request-head.ts";
import { OwnResets } from "./own-resets.ts";
import { UploadWindow } from "./upload-window.ts";

const MAX_STREAMS = 128;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_HEADER_FIELDS = 1000;
/** Streams that end early: clients that change their mind do not come near it (CVE-2023-44487, CVE-2025-8671). */
const RESETS = { burst: 200, perSecond: 50 };
/** Frames that move nothing, or want an answer of their own (CVE-2019-9512, 9515, 9518). */
const IDLE_FRAMES = { burst: 1000, perSecond: 200 };
/** Stands for a request whose fields are too many to be kept. */
const UNREAD: H2RequestHead = {
  path: "/",
  fields: {
    list: [],
    pathAt: -1,
    isLast: true,
    method: "GET",
    protocol: undefined,
    rawHeaders: [],
    bodyLength: undefined,
  },
};

/** What carries a session. */
export interface H2Road {
  /** The TLS server name; undefined when the client sent none. */
  readonly serverName: string | undefined;
  readonly output: GatheredWrites;
  readonly isGone: boolean;
  /** No new streams are taken. */
  readonly isLeaving: boolean;
  /** The last open stream has ended. */
  onQuiet(): void;
  /** Lets open streams end. */
  retire(): void;
}

/** Who answers requests. */
export interface H2Host {
  serve(exchange: H2ClientExchange): void;
  nextId(): string;
}

/** What a client is waited for, since when by `performance.now()`: all of its greeting or of a head, or its next request. */
export interface H2Debt {
  readonly what: "head" | "request" | "nothing";
  readonly since: number;
}

const NO_DEBT: H2Debt = { what: "nothing", since: 0 };

/** What a client says on a connection of HTTP/2, frame by frame, and the streams that come of it (RFC 9113, 5 and 6). */
export class H2ClientSession implements FrameTaker, H2Carrier {
  readonly sender: BodySender;
  readonly #road: H2Road;
  readonly #host: H2Host;
  readonly #blocks = new HeaderBlocks((block) => this.#onBlock(block));
  readonly #decoder = new FieldDecoder({ maxBytes: MAX_HEADER_BYTES, maxFields: MAX_HEADER_FIELDS });
  readonly #peer = new PeerSettings();
  readonly #agreement = new WindowAgreement(UploadWindow.initialBytes);
  readonly #uploads: UploadWindow;
  readonly #exchanges = new Map<number, H2ClientExchange>();
  readonly #ownResets = new OwnResets();
  readonly #resets = new Budget(RESETS);
  readonly #idleFrames = new Budget(IDLE_FRAMES);
  #hasSettings = false;
  #lastStream = 0;
  #lastHead: H2RequestHead | undefined;
  /** Where DATA goes, unless its stream is no more. */
  #receiver: H2ClientExchange | undefined;
  #quietSince = performance.now();
  #blockSince = 0;

  constructor(road: H2Road, host: H2Host) {
    this.#road = road;
    this.#host = host;
    this.sender = new BodySender(road.output);
    this.#uploads = new UploadWindow({
      widen: (stream, bytes) => road.output.add(windowUpdateFrame(stream, bytes)),
      propose: (initialBytes) => {
        this.#agreement.propose(initialBytes);
        road.output.add(settingsFrame([[Setting.initialWindowSize, initialBytes]]));
      },
    });
  }

  get serverName(): string | undefined {
    return this.#road.serverName;
  }

  get isGone(): boolean {
    return this.#road.isGone;
  }

  get unsentBytes(): number {
    return this.#road.output.length;
  }

  /** The highest number that a stream had. */
  get lastStream(): number {
    return this.#lastStream;
  }

  get isQuiet(): boolean {
    return this.#exchanges.size === 0;
  }

  get debt(): H2Debt {
    if (!this.#hasSettings) return { what: "head", since: this.#quietSince };
    if (this.#blocks.isOpen) return { what: "head", since: this.#blockSince };
    return this.isQuiet ? { what: "request", since: this.#quietSince } : NO_DEBT;
  }

  /** The client goes on by an old window, long after it was told of another. */
  isOverdue(now: number): boolean {
    return this.#agreement.isOverdue(now);
  }

  greet(): void {
    this.#road.output.add(
      settingsFrame([
        [Setting.initialWindowSize, UploadWindow.initialBytes],
        [Setting.maxConcurrentStreams, MAX_STREAMS],
        [Setting.maxHeaderListSize, MAX_HEADER_BYTES],
        [Setting.enableConnectProtocol, 1],
      ]),
    );
    this.#uploads.open();
  }

  /** The connection is no more, or about to be. */
  onGone(): void {
    for (const exchange of this.#exchanges.values()) exchange.onGone();
    this.#exchanges.clear();
  }

  serve(exchange: H2ClientExchange): void {
    this.#host.serve(exchange);
  }

  sendHead(stream: number, block: string, isLast: boolean): void {
    const start = this.#peer.takeTableChange() ? EMPTY_TABLE : "";
    this.#road.output.add(headersFrames(stream, start + block, isLast));
  }

  reset(exchange: H2ClientExchange, code: number): void {
    this.#reset(exchange.stream, code);
    this.#remove(exchange);
    exchange.onGone();
  }

  settle(exchange: H2ClientExchange): void {
    if (!exchange.isAnswered) return;
    if (!exchange.input.isWhole) {
      if (exchange.isTunnel) return;
      this.#reset(exchange.stream, ErrorCode.noError); // nobody reads the rest of the request (RFC 9113, 8.1)
    }
    this.#remove(exchange);
    exchange.onSettled();
  }

  onFrame(frame: Frame): number {
    const { type } = frame;
    if (this.#blocks.isOpen)
      return type === FrameType.continuation ? this.#blocks.onContinuation(frame) : ErrorCode.protocolError;
    if (!this.#hasSettings && (type !== FrameType.settings || (frame.flags & Flag.ack) !== 0))
      return ErrorCode.protocolError;
    switch (type) {
      case FrameType.headers:
        return this.#onHeaders(frame);
      case FrameType.windowUpdate:
        return this.#onWindowUpdate(frame);
      case FrameType.resetStream:
        return this.#onResetStream(frame);
      case FrameType.settings:
        return this.#onSettings(frame);
      case FrameType.ping:
        return this.#onPing(frame);
      case FrameType.priority:
        return this.#onPriority(frame);
      case FrameType.goaway:
        return this.#onGoaway(frame);
      case FrameType.pushPromise:
      case FrameType.continuation:
        return ErrorCode.protocolError;
      default:
        return ErrorCode.noError; // of an extension (RFC 9113, 5.5)
    }
  }

  onDataBegin(stream: number, length: number): number {
    this.#receiver = undefined;
    if (this.#blocks.isOpen || this.#isIdle(stream)) return ErrorCode.protocolError;
    if (!this.#uploads.take(length)) return ErrorCode.flowControlError;
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined)
      return this.#ownResets.has(stream) ? ErrorCode.noError : this.#fault(stream, ErrorCode.streamClosed);
    const error = exchange.input.begin(length);
    if (error !== ErrorCode.noError) return this.#fault(stream, error);
    this.#receiver = exchange;
    return length === 0 && !this.#idleFrames.spend() ? ErrorCode.enhanceYourCalm : ErrorCode.noError;
  }

  onDataBytes(bytes: Buffer): void {
    const exchange = this.#receiver;
    if (exchange === undefined || exchange.isDone) this.#uploads.onRead(bytes.length);
    else if (!exchange.input.push(bytes)) {
      this.#uploads.onRead(bytes.length);
      this.reset(exchange, ErrorCode.protocolError);
    }
  }

  onDataEnd(padding: number, isLast: boolean): number {
    const exchange = this.#receiver?.isDone === true ? undefined : this.#receiver;
    if (exchange === undefined) this.#uploads.onRead(padding);
    else exchange.input.skip(padding);
    return exchange === undefined || !isLast ? ErrorCode.noError : this.#onRequestEnd(exchange);
  }

  #onHeaders(frame: Frame): number {
    if (frame.stream % 2 === 0) return ErrorCode.protocolError;
    const error = this.#blocks.onHeaders(frame);
    if (this.#blocks.isOpen) this.#blockSince = performance.now();
    return error;
  }

  #onBlock(block: HeaderBlock): number {
    const { stream } = block;
    const fields = this.#decoder.decode(block.bytes, block.start, block.end);
    if (fields === "broken") return ErrorCode.compressionError;
    const exchange = this.#exchanges.get(stream);
    if (exchange !== undefined) return this.#onTrailers(exchange, block, fields);
    if (stream <= this.#lastStream) return this.#ownResets.has(stream) ? ErrorCode.noError : ErrorCode.streamClosed;
    this.#lastStream = stream;
    if (this.#road.isLeaving) return this.#fault(stream, ErrorCode.refusedStream);
    if (block.dependsOnItself) return this.#fault(stream, ErrorCode.protocolError);
    if (this.#exchanges.size >= MAX_STREAMS)
      // Before it has read what is allowed, a client cannot know.
      return this.#agreement.isPending ? this.#fault(stream, ErrorCode.refusedStream) : ErrorCode.protocolError;
    const head = fields === "too-large" ? UNREAD : readH2Head(fields, block.isLast, this.#lastHead);
    if (head === undefined) return this.#fault(stream, ErrorCode.protocolError);
    this.#begin(stream, head, block.isLast);
    return ErrorCode.noError;
  }

  #begin(id: number, head: H2RequestHead, isLast: boolean): void {
    const expectedBytes = head.fields.bodyLength;
    const input = new StreamInput(id, this.#uploads, {
      window: this.#agreement.initialBytes,
      expectedBytes,
      isWhole: isLast,
    });
    const stream = { id, head, input, sendWindow: this.#peer.initialWindowBytes };
    const exchange = new H2ClientExchange(this, stream, this.#host.nextId());
    this.#exchanges.set(id, exchange);
    if (!isLast) this.#uploads.onBegin();
    if (head === UNREAD) return sendRefusal(exchange, { refused: "header-too-large" });
    this.#lastHead = head;
    waitForTurn(exchange);
  }

  #onTrailers(exchange: H2ClientExchange, { stream, isLast }: HeaderBlock, fields: DecodedFields): number {
    if (exchange.input.isWhole) return this.#fault(stream, ErrorCode.streamClosed);
    const trailers = isLast && Array.isArray(fields) ? readH2Trailers(fields) : undefined;
    if (trailers === undefined) return this.#fault(stream, ErrorCode.protocolError);
    return this.#onRequestEnd(exchange, trailers);
  }

  #onRequestEnd(exchange: H2ClientExchange, trailers: readonly string[] = []): number {
    if (!exchange.input.end(trailers)) return this.#fault(exchange.stream, ErrorCode.protocolError);
    this.#uploads.onEnd();
    this.settle(exchange);
    return ErrorCode.noError;
  }

  #onWindowUpdate({ stream, bytes, start, end }: Frame): number {
    if (end - start !== 4) return ErrorCode.frameSizeError;
    const added = readNumber31(bytes, start);
    if (stream === 0) {
      if (added === 0) return ErrorCode.protocolError;
      return this.sender.widen(added) ? ErrorCode.noError : ErrorCode.flowControlError;
    }
    if (this.#isIdle(stream)) return ErrorCode.protocolError;
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) return ErrorCode.noError;
    if (added === 0) return this.#fault(stream, ErrorCode.protocolError);
    if (exchange.output.window + added > MAX_WINDOW_BYTES) return this.#fault(stream, ErrorCode.flowControlError);
    this.#widen(exchange, added);
    return ErrorCode.noError;
  }

  #widen({ output }: H2ClientExchange, bytes: number): void {
    output.window += bytes;
    if (output.bytes > 0) this.sender.schedule(output);
  }

  #onResetStream({ stream, start, end }: Frame): number {
    if (end - start !== 4) return ErrorCode.frameSizeError;
    if (this.#isIdle(stream)) return ErrorCode.protocolError;
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) return ErrorCode.noError;
    this.#remove(exchange);
    exchange.onGone();
    return this.#resets.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  #onSettings(frame: Frame): number {
    if (frame.stream !== 0) return ErrorCode.protocolError;
    if ((frame.flags & Flag.ack) !== 0) return this.#onAgreed(frame.end - frame.start);
    this.#hasSettings = true;
    this.#quietSince = performance.now();
    const before = this.#peer.initialWindowBytes;
    const error = this.#peer.read(frame);
    if (error !== ErrorCode.noError) return error;
    const change = this.#peer.initialWindowBytes - before;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.output.window + change > MAX_WINDOW_BYTES) return ErrorCode.flowControlError;
      if (change !== 0) this.#widen(exchange, change);
    }
    this.#road.output.add(SETTINGS_ACK);
    return this.#idleFrames.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  #onAgreed(length: number): number {
    if (length > 0) return ErrorCode.frameSizeError;
    const change = this.#agreement.agree();
    if (change === undefined) return ErrorCode.protocolError;
    for (const { input } of this.#exchanges.values()) input.adjust(change);
    return ErrorCode.noError;
  }

  #onPing({ flags, stream, bytes, start, end }: Frame): number {
    if (stream !== 0) return ErrorCode.protocolError;
    if (end - start !== 8) return ErrorCode.frameSizeError;
    if ((flags & Flag.ack) === 0) this.#road.output.add(pingAnswer(bytes.toString("latin1", start, end)));
    return this.#idleFrames.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  /** Nobody goes by it any more (RFC 9113, 5.3), but it has rules. */
  #onPriority({ stream, bytes, start, end }: Frame): number {
    if (stream === 0) return ErrorCode.protocolError;
    if (end - start !== 5) return this.#fault(stream, ErrorCode.frameSizeError);
    const dependsOnItself = readNumber31(bytes, start) === stream;
    return dependsOnItself ? this.#fault(stream, ErrorCode.protocolError) : ErrorCode.noError;
  }

  /** The client opens no further streams. */
  #onGoaway({ stream, start, end }: Frame): number {
    if (stream !== 0) return ErrorCode.protocolError;
    if (end - start < 8) return ErrorCode.frameSizeError;
    this.#road.retire();
    return ErrorCode.noError;
  }

  /** Neither opened nor skipped, or none that a client opens. */
  #isIdle(stream: number): boolean {
    return stream % 2 === 0 || stream > this.#lastStream;
  }

  /** An error of a stream that its client made; too many are one of the connection, which is returned. */
  #fault(stream: number, code: number): number {
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) this.#reset(stream, code);
    else this.reset(exchange, code);
    return this.#resets.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  #reset(stream: number, code: number): void {
    this.#ownResets.add(stream);
    this.#road.output.add(resetFrame(stream, code));
  }

  #remove(exchange: H2ClientExchange): void {
    if (!this.#exchanges.delete(exchange.stream)) return;
    this.sender.remove(exchange.output);
    if (!exchange.input.isWhole) this.#uploads.onEnd();
    if (!this.isQuiet) return;
    this.#quietSince = performance.now();
    this.#road.onQuiet();
  }
}
