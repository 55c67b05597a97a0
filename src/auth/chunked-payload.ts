import { createHash, type Hash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { ServiceFault } from "../errors/service-fault.ts";
import { equalSecrets, signString, type SigningState } from "./sigv4.ts";
import { sha256Hex } from "./sigv4-canonical.ts";

const MAX_LINE_BYTES = 8 * 1024;
const MAX_TRAILERS = 32;
const EMPTY_HASH = sha256Hex("");

export interface ChunkedPayloadOptions {
  /** Present when every chunk carries a signature. */
  readonly signing?: SigningState;
  /** Names of `x-amz-trailer`; others are refused. */
  readonly trailerNames: readonly string[];
  /** `x-amz-decoded-content-length` */
  readonly decodedLength?: number;
}

type Phase = "chunk-head" | "chunk-data" | "chunk-end" | "trailers" | "done";

/** Decodes aws-chunked content, checking chunk signatures as they pass; `trailers` is complete once the stream ended. */
export class ChunkedPayload extends Transform {
  readonly trailers: Record<string, string> = {};
  readonly trailerNames: readonly string[];
  readonly #options: ChunkedPayloadOptions;
  #phase: Phase = "chunk-head";
  #line: Buffer[] = [];
  #lineBytes = 0;
  #chunkLeft = 0;
  #isLastChunk = false;
  #chunkSignature = "";
  #chunkHash: Hash = createHash("sha256");
  #previousSignature: string;
  #decoded = 0;
  #signedTrailerText = "";
  #isTrailerVerified = false;

  constructor(options: ChunkedPayloadOptions) {
    super();
    this.#options = options;
    this.trailerNames = options.trailerNames;
    this.#previousSignature = options.signing?.seedSignature ?? "";
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      let rest = bytes;
      while (rest.length > 0) rest = this.#phase === "chunk-data" ? this.#takeData(rest) : this.#takeLine(rest);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const { decodedLength } = this.#options;
    const isWhole =
      this.#phase === "done" || (this.#phase === "trailers" && this.#lineBytes === 0 && !this.#options.signing);
    const isExpectedLength = decodedLength === undefined || decodedLength === this.#decoded;
    const hasTrailers = this.#options.trailerNames.every((name) => Object.hasOwn(this.trailers, name));
    done(isWhole && isExpectedLength && hasTrailers ? null : incomplete());
  }

  #takeData(bytes: Buffer): Buffer {
    const data = bytes.subarray(0, this.#chunkLeft);
    this.#chunkLeft -= data.length;
    this.#decoded += data.length;
    if (this.#options.decodedLength !== undefined && this.#decoded > this.#options.decodedLength) throw incomplete();
    if (this.#options.signing) this.#chunkHash.update(data);
    this.push(data);
    if (this.#chunkLeft === 0) this.#phase = "chunk-end";
    return bytes.subarray(data.length);
  }

  /** Lines end in CRLF, a bare LF is taken too; what follows is returned. */
  #takeLine(bytes: Buffer): Buffer {
    if (this.#phase === "done") throw malformed("data after its end");
    const end = bytes.indexOf(0x0a);
    const part = end === -1 ? bytes : bytes.subarray(0, end);
    this.#lineBytes += part.length + (end === -1 ? 0 : 1);
    if (this.#lineBytes > MAX_LINE_BYTES) throw malformed("a line that is too long");
    this.#line.push(part);
    if (end === -1) return bytes.subarray(bytes.length);
    const line = Buffer.concat(this.#line).toString("latin1").replace(/\r$/, "");
    this.#line = [];
    this.#lineBytes = 0;
    this.#endLine(line);
    return bytes.subarray(end + 1);
  }

  #endLine(line: string): void {
    if (this.#phase === "chunk-head") this.#startChunk(line);
    else if (this.#phase === "chunk-end") {
      if (line !== "") throw malformed("a chunk longer than it says");
      this.#endChunk();
    } else this.#takeTrailer(line);
  }

  #startChunk(line: string): void {
    const [, size = "", signature] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? [];
    if (size === "" || (this.#options.signing && signature === undefined))
      throw malformed("a chunk header it cannot have");
    this.#chunkLeft = Number.parseInt(size, 16);
    this.#isLastChunk = this.#chunkLeft === 0;
    this.#chunkSignature = signature ?? "";
    this.#chunkHash = createHash("sha256");
    this.#phase = "chunk-data";
    if (this.#isLastChunk) this.#endChunk();
  }

  #endChunk(): void {
    this.#verify("AWS4-HMAC-SHA256-PAYLOAD", this.#chunkSignature, [EMPTY_HASH, this.#chunkHash.digest("hex")]);
    this.#phase = this.#isLastChunk ? "trailers" : "chunk-head";
  }

  #takeTrailer(line: string): void {
    const expectsSignature = this.#options.signing !== undefined && this.#options.trailerNames.length > 0;
    if (line === "") {
      // Before the trailer's signature an empty line may separate it from the trailers.
      if (!expectsSignature || this.#isTrailerVerified) this.#phase = "done";
      return;
    }
    const at = line.indexOf(":");
    const name = line.slice(0, at).trim().toLowerCase();
    const value = line.slice(at + 1).trim();
    if (at <= 0 || this.#isTrailerVerified || Object.keys(this.trailers).length >= MAX_TRAILERS)
      throw malformed("a trailer it cannot have");
    if (name === "x-amz-trailer-signature") {
      this.#verify("AWS4-HMAC-SHA256-TRAILER", value, [sha256Hex(this.#signedTrailerText)]);
      this.#isTrailerVerified = true;
      return;
    }
    if (!this.#options.trailerNames.includes(name)) throw malformed("a trailer that x-amz-trailer does not name");
    this.trailers[name] = value;
    this.#signedTrailerText += `${name}:${value}\n`;
  }

  #verify(algorithm: string, signature: string, hashes: readonly string[]): void {
    const { signing } = this.#options;
    if (!signing) return;
    const expected = signString(signing.key, [
      algorithm,
      signing.timestamp,
      signing.scope,
      this.#previousSignature,
      ...hashes,
    ]);
    if (!equalSecrets(expected, signature)) {
      throw new ServiceFault(
        "SignatureDoesNotMatch",
        "The signature of a chunk of the body does not match what we calculated.",
        { status: 403 },
      );
    }
    this.#previousSignature = expected;
  }
}

function malformed(what: string): ServiceFault {
  return new ServiceFault("InvalidRequest", `The aws-chunked body has ${what}.`, { status: 400 });
}

function incomplete(): ServiceFault {
  return new ServiceFault(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
    { status: 400 },
  );
}
