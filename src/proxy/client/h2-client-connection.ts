import type { TLSSocket } from "node:tls";
import { GatheredWrites } from "../flow/gathered-writes.ts";
import { waitForTurn } from "../flow/turn.ts";
import { BodySender } from "../http2/body-sender.ts";
import { FrameReader, type FrameTaker } from "../http2/frame-reader.ts";
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Flag,
  type Frame,
  FrameType,
  goawayFrame,
  headersFrames,
  MAX_WINDOW_BYTES,
  pingAnswer,
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
import { sendRefusal } from "../refusal.ts";
import { Budget } from "./budget.ts";
import type { ClientLimits } from "./client-limits.ts";
import { H2ClientExchange, type H2Carrier } from "./h2-client-exchange.ts";
import { type H2RequestHead, readH2Head, readH2Trailers } from "./h2-request-head.ts";
import { OwnResets } from "./own-resets.ts";
import { UploadWindow } from "./upload-window.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const MAX_STREAMS = 128;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_HEADER_FIELDS = 1000;
/** Answers to frames that a client does not take; until it does, it is not listened to. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** How long a client may go on by an old window. */
const AGREE_WITHIN_MS = 10_000;
/** How long what a client still sends is read after the end, so that closing does not destroy what was said. */
const LINGER_MS = 2000;
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

/** Who keeps the connections. */
export interface H2Keeper {
  readonly limits: ClientLimits;
  serve(exchange: H2ClientExchange): void;
  nextId(): string;
  /** The client broke the protocol, or abused it. */
  onError(code: number): void;
  remove(connection: H2ClientConnection): void;
}

/** A client's connection that speaks HTTP/2 (RFC 9113). */
export class H2ClientConnection implements FrameTaker, H2Carrier {
  readonly socket: TLSSocket;
  readonly serverName: string | undefined;
  readonly sender: BodySender;
  readonly #keeper: H2Keeper;
  readonly #output: GatheredWrites;
  readonly #frames = new FrameReader(this);
  readonly #blocks = new HeaderBlocks((block) => this.#onBlock(block));
  readonly #decoder = new FieldDecoder({ maxBytes: MAX_HEADER_BYTES, maxFields: MAX_HEADER_FIELDS });
  readonly #peer = new PeerSettings();
  readonly #uploads: UploadWindow;
  readonly #exchanges = new Map<number, H2ClientExchange>();
  readonly #ownResets = new OwnResets();
  readonly #resets = new Budget(RESETS);
  readonly #idleFrames = new Budget(IDLE_FRAMES);
  /** Of the preface, so far. */
  #greeting: Buffer | undefined = Buffer.alloc(0);
  #hasSettings = false;
  #lastStream = 0;
  #lastHead: H2RequestHead | undefined;
  /** Where DATA goes, unless its stream is no more. */
  #receiver: H2ClientExchange | undefined;
  /** Sizes of windows that the client has not agreed to yet, and by when it must. */
  #proposed: number[] = [];
  #agreeBy = Number.POSITIVE_INFINITY;
  /** What streams begin with, as both sides know. */
  #initialBytes = DEFAULT_WINDOW_BYTES;
  #isLeaving = false;
  #isClosing = false;
  /** By `performance.now()`; what happens then depends on what the client owes. */
  #deadline: number;

  constructor(socket: TLSSocket, keeper: H2Keeper) {
    this.socket = socket;
    this.#keeper = keeper;
    this.#output = new GatheredWrites(socket, () => this.sender.run());
    this.sender = new BodySender(this.#output);
    this.#uploads = new UploadWindow({
      widen: (stream, bytes) => this.#output.add(windowUpdateFrame(stream, bytes)),
      propose: (initialBytes) => this.#propose([[Setting.initialWindowSize, initialBytes]], initialBytes),
    });
    this.#deadline = performance.now() + keeper.limits.headMs;
    const name: unknown = socket.servername; // `false` when the client sent none; the types do not say so
    this.serverName = typeof name === "string" ? name : undefined;
    socket.on("data", this.#onBytes);
    socket.on("end", () => socket.destroy()); // node's TLS sockets know no half-open state
    socket.on("drain", this.#onDrain);
    socket.on("error", ignore); // "close" follows, and says the same
    socket.on("close", this.#onClose);
    this.#greet();
  }

  get isGone(): boolean {
    return this.#isClosing || this.socket.destroyed;
  }

  get unsentBytes(): number {
    return this.#output.length;
  }

  get isFull(): boolean {
    return this.#output.isFull;
  }

  /** Lets open streams end, and takes no new ones. */
  retire(): void {
    if (this.#isLeaving || this.isGone) return;
    this.#isLeaving = true;
    this.#output.add(goawayFrame(this.#lastStream, ErrorCode.noError));
    if (this.#exchanges.size === 0) this.#end();
  }

  /** Does what is due by now. */
  check(now: number): void {
    if (now >= this.#agreeBy) this.#abandon(ErrorCode.settingsTimeout);
    if (now < this.#deadline) return;
    if (this.#isClosing || !this.#hasSettings || this.#blocks.isOpen) this.socket.destroy();
    else this.retire();
  }

  serve(exchange: H2ClientExchange): void {
    this.#keeper.serve(exchange);
  }

  sendHead(stream: number, block: string, isLast: boolean): void {
    const start = this.#peer.takeTableChange() ? EMPTY_TABLE : "";
    this.#output.add(headersFrames(stream, start + block, isLast));
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
      return type === FrameType.continuation ? this.#onContinuation(frame) : ErrorCode.protocolError;
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
    if (this.#blocks.isOpen || stream % 2 === 0 || stream > this.#lastStream) return ErrorCode.protocolError;
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

  #greet(): void {
    this.#propose(
      [
        [Setting.initialWindowSize, UploadWindow.initialBytes],
        [Setting.maxConcurrentStreams, MAX_STREAMS],
        [Setting.maxHeaderListSize, MAX_HEADER_BYTES],
        [Setting.enableConnectProtocol, 1],
      ],
      UploadWindow.initialBytes,
    );
    this.#agreeBy = Number.POSITIVE_INFINITY; // the window that it begins with is narrower
    this.#uploads.open();
  }

  #propose(settings: readonly (readonly [setting: number, value: number])[], initialBytes: number): void {
    this.#output.add(settingsFrame(settings));
    this.#proposed.push(initialBytes);
    this.#agreeBy = performance.now() + AGREE_WITHIN_MS;
  }

  readonly #onBytes = (bytes: Buffer): void => {
    if (this.isGone) return;
    const rest = this.#greeting === undefined ? bytes : this.#readPreface(bytes);
    if (rest === undefined) return void this.socket.destroy();
    const error = rest.length === 0 ? ErrorCode.noError : this.#frames.push(rest);
    if (error !== ErrorCode.noError) this.#abandon(error);
    else if (this.#output.length > MAX_UNSENT_BYTES) this.socket.pause();
  };

  /** What follows it; undefined when it is not one. */
  #readPreface(bytes: Buffer): Buffer | undefined {
    const greeting = Buffer.concat([this.#greeting ?? bytes.subarray(0, 0), bytes]);
    const length = Math.min(greeting.length, PREFACE.length);
    if (greeting.compare(PREFACE, 0, length, 0, length) !== 0) return undefined;
    this.#greeting = length < PREFACE.length ? greeting : undefined;
    return greeting.subarray(length);
  }

  readonly #onDrain = (): void => {
    this.sender.run();
    if (!this.#isClosing) this.socket.resume();
  };

  readonly #onClose = (): void => {
    this.#isClosing = true;
    this.#keeper.remove(this);
    for (const exchange of this.#exchanges.values()) exchange.onGone();
    this.#exchanges.clear();
  };

  #onHeaders(frame: Frame): number {
    if (frame.stream % 2 === 0) return ErrorCode.protocolError;
    const error = this.#blocks.onHeaders(frame);
    if (this.#blocks.isOpen) this.#deadline = performance.now() + this.#keeper.limits.headMs;
    return error;
  }

  #onContinuation(frame: Frame): number {
    const error = this.#blocks.onContinuation(frame);
    if (!this.#blocks.isOpen && this.#exchanges.size > 0) this.#deadline = Number.POSITIVE_INFINITY;
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
    if (this.#isLeaving) return this.#fault(stream, ErrorCode.refusedStream);
    if (block.dependsOnItself) return this.#fault(stream, ErrorCode.protocolError);
    if (this.#exchanges.size >= MAX_STREAMS)
      // Before it has read what is allowed, a client cannot know.
      return this.#proposed.length > 0 ? this.#fault(stream, ErrorCode.refusedStream) : ErrorCode.protocolError;
    const head = fields === "too-large" ? UNREAD : readH2Head(fields, block.isLast, this.#lastHead);
    if (head === undefined) return this.#fault(stream, ErrorCode.protocolError);
    this.#begin(stream, head, block.isLast);
    return ErrorCode.noError;
  }

  #begin(id: number, head: H2RequestHead, isLast: boolean): void {
    const expectedBytes = head.fields.bodyLength;
    const input = new StreamInput(id, this.#uploads, { window: this.#initialBytes, expectedBytes, isWhole: isLast });
    const stream = { id, head, input, sendWindow: this.#peer.initialWindowBytes };
    const exchange = new H2ClientExchange(this, stream, this.#keeper.nextId());
    this.#exchanges.set(id, exchange);
    this.#deadline = Number.POSITIVE_INFINITY;
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
    const added = bytes.readUInt32BE(start) & MAX_WINDOW_BYTES;
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
    if (this.#exchanges.size === 0) this.#deadline = performance.now() + this.#keeper.limits.idleMs;
    const before = this.#peer.initialWindowBytes;
    const error = this.#peer.read(frame);
    if (error !== ErrorCode.noError) return error;
    const change = this.#peer.initialWindowBytes - before;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.output.window + change > MAX_WINDOW_BYTES) return ErrorCode.flowControlError;
      if (change !== 0) this.#widen(exchange, change);
    }
    this.#output.add(SETTINGS_ACK);
    return this.#idleFrames.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  #onAgreed(length: number): number {
    if (length > 0) return ErrorCode.frameSizeError;
    const agreed = this.#proposed.shift();
    if (agreed === undefined) return ErrorCode.protocolError;
    if (this.#proposed.length === 0) this.#agreeBy = Number.POSITIVE_INFINITY;
    for (const { input } of this.#exchanges.values()) input.adjust(agreed - this.#initialBytes);
    this.#initialBytes = agreed;
    return ErrorCode.noError;
  }

  #onPing({ flags, stream, bytes, start, end }: Frame): number {
    if (stream !== 0) return ErrorCode.protocolError;
    if (end - start !== 8) return ErrorCode.frameSizeError;
    if ((flags & Flag.ack) === 0) this.#output.add(pingAnswer(bytes.toString("latin1", start, end)));
    return this.#idleFrames.spend() ? ErrorCode.noError : ErrorCode.enhanceYourCalm;
  }

  /** Nobody goes by it any more (RFC 9113, 5.3), but it has rules. */
  #onPriority({ stream, bytes, start, end }: Frame): number {
    if (stream === 0) return ErrorCode.protocolError;
    if (end - start !== 5) return this.#fault(stream, ErrorCode.frameSizeError);
    const dependsOnItself = (bytes.readUInt32BE(start) & MAX_WINDOW_BYTES) === stream;
    return dependsOnItself ? this.#fault(stream, ErrorCode.protocolError) : ErrorCode.noError;
  }

  /** The client opens no further streams. */
  #onGoaway({ stream, start, end }: Frame): number {
    if (stream !== 0) return ErrorCode.protocolError;
    if (end - start < 8) return ErrorCode.frameSizeError;
    this.retire();
    return ErrorCode.noError;
  }

  /** Neither opened nor skipped. */
  #isIdle(stream: number): boolean {
    return stream === 0 || stream % 2 === 0 || stream > this.#lastStream;
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
    if (!this.isGone) this.#output.add(resetFrame(stream, code));
  }

  #remove(exchange: H2ClientExchange): void {
    if (!this.#exchanges.delete(exchange.stream)) return;
    this.sender.remove(exchange.output);
    if (!exchange.input.isWhole) this.#uploads.onEnd();
    if (!exchange.isTunnel) exchange.input.drop();
    if (this.#exchanges.size > 0 || this.isGone) return;
    this.#deadline = performance.now() + this.#keeper.limits.idleMs;
    if (this.#isLeaving) this.#end();
  }

  /** Ends a connection whose client broke the protocol, or makes more work than it asks for. */
  #abandon(code: number): void {
    if (this.isGone) return;
    this.#keeper.onError(code);
    this.#output.add(goawayFrame(this.#lastStream, code));
    this.#end();
    for (const exchange of this.#exchanges.values()) exchange.onGone();
    this.#exchanges.clear();
  }

  #end(): void {
    this.#output.flush();
    this.#isClosing = true;
    this.#agreeBy = Number.POSITIVE_INFINITY;
    this.#deadline = performance.now() + LINGER_MS;
    this.socket.resume();
    this.socket.end();
  }
}

function ignore(): void {}
