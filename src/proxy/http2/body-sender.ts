import type { GatheredWrites } from "../flow/gathered-writes.ts";
import {
  DEFAULT_WINDOW_BYTES,
  Flag,
  frameHead,
  FrameType,
  headersFrames,
  MAX_PAYLOAD_BYTES,
  MAX_WINDOW_BYTES,
} from "./frames.ts";
import type { StreamOutput } from "./stream-output.ts";

/** Sends the bodies of a connection's streams, a frame of each in turn, as far as the receiver's windows and its socket have room. */
export class BodySender {
  readonly #output: GatheredWrites;
  /** With something to send, or an end; those whose own window is used up wait elsewhere. */
  #queue: StreamOutput[] = [];
  /** What the receiver takes on the whole connection. */
  #window = DEFAULT_WINDOW_BYTES;

  constructor(output: GatheredWrites) {
    this.#output = output;
  }

  /** False when the receiver cannot take more now: the stream's `onDrain` follows. */
  send(stream: StreamOutput, bytes: Buffer): boolean {
    stream.add(bytes);
    this.schedule(stream);
    if (stream.bytes < MAX_PAYLOAD_BYTES && !this.#output.isFull) return true;
    stream.isAwaited = true;
    this.schedule(stream);
    return false;
  }

  /** At the end of this turn, or at once when it fills a frame. */
  schedule(stream: StreamOutput): void {
    this.#enqueue(stream);
    if (stream.bytes >= MAX_PAYLOAD_BYTES) this.run();
    else this.#output.schedule();
  }

  remove(stream: StreamOutput): void {
    if (stream.isQueued) this.#queue = this.#queue.filter((other) => other !== stream);
    stream.isQueued = false;
  }

  /** False when the window would be wider than there is (RFC 9113, 6.9.1). */
  widen(bytes: number): boolean {
    this.#window += bytes;
    this.run();
    return this.#window <= MAX_WINDOW_BYTES;
  }

  run(): void {
    while (this.#queue.length > 0 && !this.#output.isFull) {
      const stream = this.#queue[0];
      if (stream === undefined || (stream.bytes > 0 && stream.window > 0 && this.#window <= 0)) return;
      this.#queue.shift();
      stream.isQueued = false;
      this.#sendFrame(stream);
    }
  }

  #sendFrame(stream: StreamOutput): void {
    const length = Math.min(stream.bytes, MAX_PAYLOAD_BYTES, this.#window, stream.window);
    if (stream.bytes > 0 && length <= 0) return; // until its window is wider
    const isWhole = stream.isEnded && length === stream.bytes;
    const hasTrailers = stream.trailers !== "";
    const isLast = isWhole && !hasTrailers;
    if (length > 0 || isLast) this.#sendData(stream, length, isLast);
    if (isWhole && hasTrailers) this.#output.add(headersFrames(stream.stream, stream.trailers, true));
    if (isWhole) stream.listener.onSent();
    else if (stream.bytes > 0) this.#enqueue(stream);
    else if (stream.isAwaited) {
      stream.isAwaited = false;
      stream.listener.onDrain();
    }
  }

  #sendData(stream: StreamOutput, length: number, isLast: boolean): void {
    this.#window -= length;
    stream.window -= length;
    this.#output.add(frameHead(length, FrameType.data, isLast ? Flag.endStream : 0, stream.stream));
    stream.take(length, this.#add);
  }

  readonly #add = (part: Buffer): void => this.#output.add(part);

  #enqueue(stream: StreamOutput): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#queue.push(stream);
  }
}
