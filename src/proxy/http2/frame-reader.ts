import { ErrorCode, Flag, FRAME_HEAD_BYTES, type Frame, FrameType, MAX_PAYLOAD_BYTES, readNumber31 } from "./frames.ts";

const NOTHING = Buffer.alloc(0);

/** Who takes frames. Each answers with the error that ends the connection, or `noError`. */
export interface FrameTaker {
  /** Any frame but DATA, whole; the frame's object is used again. */
  onFrame(frame: Frame): number;
  /** DATA begins; `length` counts for flow control, padding with it. */
  onDataBegin(stream: number, length: number): number;
  /** Some of its bytes, as they come. */
  onDataBytes(bytes: Buffer): void;
  /** `padding`: bytes that nobody gets. */
  onDataEnd(padding: number, isLast: boolean): number;
}

/** Takes a client's bytes apart into frames. DATA is handed on as it comes, every other frame whole. */
export class FrameReader {
  readonly #taker: FrameTaker;
  readonly #frame: Frame = { type: 0, flags: 0, stream: 0, bytes: NOTHING, start: 0, end: 0 };
  #held: Buffer = NOTHING;
  #isInData = false;
  /** Of the DATA frame under way: bytes of the body, then bytes of padding. */
  #dataLeft = 0;
  #paddingLeft = 0;
  #padding = 0;
  #isLastData = false;
  #error: number = ErrorCode.noError;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Returns the error that ends the connection, or `noError`. */
  push(bytes: Buffer): number {
    const input = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = NOTHING;
    let at = 0;
    while (at < input.length) {
      const next = this.#isInData ? this.#readData(input, at) : this.#readFrame(input, at);
      if (this.#error !== ErrorCode.noError) return this.#error;
      if (next === at) break; // more must come
      at = next;
    }
    if (at < input.length) this.#held = input.subarray(at);
    return ErrorCode.noError;
  }

  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length - at < FRAME_HEAD_BYTES) return at;
    const length = bytes.readUIntBE(at, 3);
    if (length > MAX_PAYLOAD_BYTES) return this.#fail(ErrorCode.frameSizeError, at);
    const frame = this.#frame;
    frame.type = bytes[at + 3] ?? 0;
    frame.flags = bytes[at + 4] ?? 0;
    frame.stream = readNumber31(bytes, at + 5);
    frame.bytes = bytes;
    frame.start = at + FRAME_HEAD_BYTES;
    frame.end = frame.start + length;
    if (frame.type === FrameType.data) return this.#beginData(frame, at);
    if (bytes.length < frame.end) return at;
    return this.#fail(this.#taker.onFrame(frame), frame.end);
  }

  #beginData({ flags, stream, bytes, start, end }: Frame, at: number): number {
    const isPadded = (flags & Flag.padded) !== 0;
    const length = end - start;
    if (isPadded && length > 0 && bytes.length === start) return at;
    const padding = isPadded ? 1 + (bytes[start] ?? 0) : 0;
    if (padding > length) return this.#fail(ErrorCode.protocolError, at);
    const error = this.#taker.onDataBegin(stream, length);
    if (error !== ErrorCode.noError) return this.#fail(error, at);
    this.#isInData = true;
    this.#padding = padding;
    this.#paddingLeft = isPadded ? padding - 1 : 0;
    this.#dataLeft = length - padding;
    this.#isLastData = (flags & Flag.endStream) !== 0;
    return this.#endData(isPadded ? start + 1 : start);
  }

  #readData(bytes: Buffer, at: number): number {
    let next = at;
    if (this.#dataLeft > 0) {
      next = Math.min(bytes.length, at + this.#dataLeft);
      this.#dataLeft -= next - at;
      this.#taker.onDataBytes(bytes.subarray(at, next));
    }
    if (this.#dataLeft === 0) {
      const skipped = Math.min(bytes.length - next, this.#paddingLeft);
      this.#paddingLeft -= skipped;
      next += skipped;
    }
    return this.#endData(next);
  }

  #endData(at: number): number {
    if (this.#dataLeft > 0 || this.#paddingLeft > 0) return at;
    this.#isInData = false;
    return this.#fail(this.#taker.onDataEnd(this.#padding, this.#isLastData), at);
  }

  #fail(error: number, at: number): number {
    this.#error = error;
    return at;
  }
}
