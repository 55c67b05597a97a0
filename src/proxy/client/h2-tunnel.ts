import { Duplex } from "node:stream";
import type { BodyReader, ClientStream } from "../client-exchange.ts";
import type { BodySender } from "../http2/body-sender.ts";
import { ErrorCode } from "../http2/frames.ts";
import type { StreamInput } from "../http2/stream-input.ts";
import type { StreamOutput } from "../http2/stream-output.ts";

/** The stream that a tunnel goes over. */
interface TunnelStream {
  readonly input: StreamInput;
  readonly output: StreamOutput;
  /** Gives it up, unless it has ended. */
  cut(code: number): void;
}

/** A client's stream that has left HTTP by an extended CONNECT (RFC 8441). */
export class H2Tunnel extends Duplex implements ClientStream, BodyReader {
  readonly #sender: BodySender;
  readonly #stream: TunnelStream;
  #isRead = false;
  #onRoom: (() => void) | undefined;
  #onEndSent: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(sender: BodySender, stream: TunnelStream) {
    super();
    this.#sender = sender;
    this.#stream = stream;
  }

  /** Calls `listener` once nothing has moved for so long. */
  setTimeout(milliseconds: number, listener: () => void): this {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(listener, milliseconds).unref();
    return this;
  }

  onBody(chunk: Buffer): void {
    this.#timer?.refresh();
    if (!this.push(chunk)) this.#stream.input.pause();
  }

  onBodyEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }

  onSent(): void {
    this.#onEndSent?.();
  }

  override _read(): void {
    if (this.#isRead) return this.#stream.input.resume();
    this.#isRead = true;
    this.#stream.input.read(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#timer?.refresh();
    if (this.#sender.send(this.#stream.output, chunk)) return done();
    this.#onRoom = done;
  }

  override _final(done: () => void): void {
    const { output } = this.#stream;
    this.#onEndSent = done;
    output.isEnded = true;
    this.#sender.schedule(output);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#stream.cut(error ? ErrorCode.internalError : ErrorCode.cancel);
    this.#stream.input.drop();
    done(error);
  }
}
