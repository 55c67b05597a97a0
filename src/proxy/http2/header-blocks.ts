import { ErrorCode, Flag, type Frame, readNumber31 } from "./frames.ts";

/** A block of fields, encoded, and what its first frame says of its stream. */
export interface HeaderBlock {
  readonly stream: number;
  /** The stream ends with it. */
  readonly isLast: boolean;
  /** Its priority names itself, which is an error (RFC 7540, 5.3.1). */
  readonly dependsOnItself: boolean;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Encoded; what a whole block may hold decoded is counted elsewhere. */
const MAX_BLOCK_BYTES = 128 * 1024;
const PRIORITY_BYTES = 5;

/** Joins HEADERS and the CONTINUATION frames that follow (RFC 9113, 6.2, 6.10). */
export class HeaderBlocks {
  readonly #onBlock: (block: HeaderBlock) => number;
  #open: HeaderBlock | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** `onBlock` answers with the error that ends the connection, or `noError`. */
  constructor(onBlock: (block: HeaderBlock) => number) {
    this.#onBlock = onBlock;
  }

  /** While it is, no other frame may come. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  onHeaders({ flags, stream, bytes, start: from, end: to }: Frame): number {
    let start = from;
    let end = to;
    let dependsOnItself = false;
    if ((flags & Flag.padded) !== 0) end -= bytes[start++] ?? 0;
    if ((flags & Flag.priority) !== 0) {
      if (to - start < PRIORITY_BYTES) return ErrorCode.frameSizeError;
      dependsOnItself = readNumber31(bytes, start) === stream;
      start += PRIORITY_BYTES;
    }
    if (start > end) return ErrorCode.protocolError;
    const isLast = (flags & Flag.endStream) !== 0;
    const block = { stream, isLast, dependsOnItself, bytes, start, end };
    if ((flags & Flag.endHeaders) !== 0) return this.#onBlock(block);
    this.#open = block;
    this.#parts = [];
    this.#bytes = 0;
    return this.#keep(bytes.subarray(start, end));
  }

  onContinuation({ flags, stream, bytes, start, end }: Frame): number {
    const open = this.#open;
    if (open?.stream !== stream) return ErrorCode.protocolError;
    const error = this.#keep(bytes.subarray(start, end));
    if (error !== ErrorCode.noError || (flags & Flag.endHeaders) === 0) return error;
    const whole = Buffer.concat(this.#parts);
    this.#open = undefined;
    this.#parts = [];
    return this.#onBlock({ ...open, bytes: whole, start: 0, end: whole.length });
  }

  /** Each counts a little by itself, so that no endless row of empty ones comes (CVE-2024-27316). */
  #keep(part: Buffer): number {
    this.#bytes += part.length + 32;
    if (this.#bytes > MAX_BLOCK_BYTES) return ErrorCode.enhanceYourCalm;
    this.#parts.push(part);
    return ErrorCode.noError;
  }
}
