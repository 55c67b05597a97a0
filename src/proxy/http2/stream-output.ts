/** Who is told how the sending goes on. */
export interface OutputListener {
  /** All that was given is out, after its sender said that it is too much. */
  onDrain(): void;
  /** The end is out. */
  onSent(): void;
}

/** The body that goes out on one stream: kept until the receiver's windows have room for it. */
export class StreamOutput {
  readonly stream: number;
  readonly listener: OutputListener;
  /** What the receiver takes; below zero after it made its windows narrower. */
  window: number;
  bytes = 0;
  isEnded = false;
  /** Fields after the body, encoded. */
  trailers = "";
  /** In the line of those that have something to send. */
  isQueued = false;
  /** Somebody waits for `onDrain`. */
  isAwaited = false;
  #parts: Buffer[] = [];

  constructor(stream: number, window: number, listener: OutputListener) {
    this.stream = stream;
    this.window = window;
    this.listener = listener;
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.bytes += bytes.length;
  }

  /** Takes so many bytes, in the pieces they came in. */
  take(length: number, into: (part: Buffer) => void): void {
    this.bytes -= length;
    let left = length;
    while (left > 0) {
      const part = this.#parts[0];
      if (part === undefined) return;
      if (part.length > left) {
        this.#parts[0] = part.subarray(left);
        return into(part.subarray(0, left));
      }
      this.#parts.shift();
      left -= part.length;
      into(part);
    }
  }

  drop(): void {
    this.#parts = [];
    this.bytes = 0;
    this.isAwaited = false;
  }
}
