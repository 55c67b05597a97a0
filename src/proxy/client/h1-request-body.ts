import { ChunkDecoder } from "../http/chunk-decoder.ts";
import type { BodyReader } from "../client-exchange.ts";
import type { MessageLength } from "../http/message-length.ts";

/** The body of a request over HTTP/1.x, as it comes. */
export class H1RequestBody {
  /** Undefined: nobody wants it yet. */
  reader: BodyReader | undefined;
  readonly #chunks: ChunkDecoder | undefined;
  #left: number;

  constructor(length: MessageLength) {
    this.#left = length === "chunked" ? 0 : length;
    if (length === "chunked") this.#chunks = new ChunkDecoder((data) => this.reader?.onBody(data));
  }

  get isWhole(): boolean {
    return this.#chunks === undefined ? this.#left === 0 : this.#chunks.isDone;
  }

  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? [];
  }

  /** Hands on what is the body's; returns where in `bytes` that ends, or -1 when they are no chunks. */
  push(bytes: Buffer): number {
    const end = this.#chunks === undefined ? this.#pushSized(bytes) : this.#chunks.push(bytes, 0);
    if (end >= 0 && this.isWhole) this.reader?.onBodyEnd();
    return end;
  }

  #pushSized(bytes: Buffer): number {
    const end = Math.min(bytes.length, this.#left);
    this.#left -= end;
    this.reader?.onBody(end === bytes.length ? bytes : bytes.subarray(0, end));
    return end;
  }
}
