import type { BodyReader } from "../client-exchange.ts";
import { ErrorCode } from "./frames.ts";

/** Who gives a sender leave to send more. */
export interface Credit {
  /** What one stream may have under way and unread, in bytes. */
  readonly streamBytes: number;
  /** Tells the sender that it may send so much more on a stream. */
  grant(stream: number, bytes: number): void;
  /** Bytes of this connection that are kept no more. */
  onRead(bytes: number): void;
}

/** A grant is worth a frame when it is so much of the window. */
const GRANT_SHARE = 8;

/** The body that comes on one stream: kept until somebody reads it, within what its sender was granted. */
export class StreamInput {
  readonly #stream: number;
  readonly #credit: Credit;
  /** As the fields of its head announced it. */
  readonly #expectedBytes: number | undefined;
  /** What the sender may still send; below zero after a window was made narrower. */
  #window: number;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #receivedBytes = 0;
  #reader: BodyReader | undefined;
  #isPaused = false;
  #isDropped = false;
  isWhole: boolean;
  trailers: readonly string[] = [];

  constructor(
    stream: number,
    credit: Credit,
    { window, expectedBytes, isWhole }: { window: number; expectedBytes: number | undefined; isWhole: boolean },
  ) {
    this.#stream = stream;
    this.#credit = credit;
    this.#window = window;
    this.#expectedBytes = expectedBytes;
    this.isWhole = isWhole;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** A frame of this length begins; returns the error of the stream, or `noError`. */
  begin(length: number): number {
    if (this.isWhole) return ErrorCode.streamClosed;
    if (length > this.#window) return ErrorCode.flowControlError;
    this.#window -= length;
    return ErrorCode.noError;
  }

  /** False when it is more than was announced: two readers of it would disagree on what follows. */
  push(bytes: Buffer): boolean {
    this.#receivedBytes += bytes.length;
    if (this.#expectedBytes !== undefined && this.#receivedBytes > this.#expectedBytes) return false;
    if (this.#reader === undefined || this.#isPaused || this.#kept.length > 0) {
      this.#kept.push(bytes);
      this.#keptBytes += bytes.length;
    } else this.#handOver(this.#reader, bytes);
    return true;
  }

  /** Nothing further comes; false when it is less than was announced. */
  end(trailers: readonly string[] = []): boolean {
    if (this.#expectedBytes !== undefined && this.#receivedBytes !== this.#expectedBytes) return false;
    this.isWhole = true;
    this.trailers = trailers;
    if (this.#kept.length === 0) this.#reader?.onBodyEnd();
    return true;
  }

  /** Bytes of padding: they count, and nobody reads them. */
  skip(bytes: number): void {
    if (bytes > 0) this.#onRead(bytes);
  }

  read(reader: BodyReader): void {
    this.#reader = reader;
    this.#isPaused = false;
    if (this.isWhole && this.#kept.length === 0) reader.onBodyEnd();
    else this.#flush();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flush();
  }

  /** Nobody reads the rest; what others of the connection may send must not depend on it. */
  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#reader = undefined;
    this.#kept = [];
    this.#credit.onRead(this.#keptBytes);
    this.#keptBytes = 0;
  }

  /** The window that new streams begin with has changed by so much, for this one too (RFC 9113, 6.9.2). */
  adjust(bytes: number): void {
    this.#window += bytes;
  }

  #flush(): void {
    while (!this.#isPaused && this.#kept.length > 0) {
      const bytes = this.#kept.shift();
      if (bytes === undefined || this.#reader === undefined) return;
      this.#keptBytes -= bytes.length;
      this.#handOver(this.#reader, bytes);
      if (this.#kept.length === 0 && this.isWhole) this.#reader?.onBodyEnd();
    }
  }

  #handOver(reader: BodyReader, bytes: Buffer): void {
    reader.onBody(bytes);
    this.#onRead(bytes.length);
  }

  #onRead(bytes: number): void {
    this.#credit.onRead(bytes);
    if (this.isWhole || this.#isDropped) return;
    const { streamBytes } = this.#credit;
    const grant = streamBytes - this.#window - this.#keptBytes;
    if (grant < streamBytes / GRANT_SHARE) return;
    this.#window += grant;
    this.#credit.grant(this.#stream, grant);
  }
}
