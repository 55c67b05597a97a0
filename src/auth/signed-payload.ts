import { createHash } from "node:crypto";
import { PassThrough, Transform, type Readable } from "node:stream";
import { ServiceFault } from "../errors/service-fault.ts";
import { ChunkedPayload } from "./chunked-payload.ts";
import type { SigningState } from "./sigv4.ts";
import { equalSecrets } from "./sigv4.ts";

/** How a signature covers the body: the words and the hash of `x-amz-content-sha256`. */
export type PayloadMode =
  | { readonly kind: "hash" }
  | { readonly kind: "unsigned" }
  | { readonly kind: "chunked"; readonly isSigned: boolean };

const CHUNKED_MODES: ReadonlyMap<string, boolean> = new Map([
  ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true],
  ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true],
  ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", false],
]);

export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

/** Undefined for anything S3 does not know. */
export function payloadMode(contentSha256: string): PayloadMode | undefined {
  if (contentSha256 === UNSIGNED_PAYLOAD) return { kind: "unsigned" };
  const isSigned = CHUNKED_MODES.get(contentSha256);
  if (isSigned !== undefined) return { kind: "chunked", isSigned };
  return /^[0-9a-f]{64}$/.test(contentSha256) ? { kind: "hash" } : undefined;
}

export interface SignedPayload {
  readonly body: Readable;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentSha256: string;
  readonly signing: SigningState;
}

/** The body as its reader is to see it: decoded, and failing at its end when it is not what was signed. */
export function openPayload({ body, headers, contentSha256, signing }: SignedPayload): Readable {
  const mode = payloadMode(contentSha256);
  if (!mode || mode.kind === "unsigned") return detach(body);
  if (mode.kind === "hash") return chain(body, new HashedPayload(contentSha256));
  const decodedLength = headers["x-amz-decoded-content-length"];
  if (decodedLength === undefined || !/^\d{1,15}$/.test(decodedLength)) {
    throw new ServiceFault("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.", {
      status: 411,
    });
  }
  const trailerNames = (headers["x-amz-trailer"] ?? "").split(",").map((name) => name.trim().toLowerCase());
  return chain(
    body,
    new ChunkedPayload({
      signing: mode.isSigned ? signing : undefined,
      trailerNames: trailerNames.filter((name) => name !== ""),
      decodedLength: Number(decodedLength),
    }),
  );
}

/** A view of a request's body that may be destroyed without ending the connection that the answer needs. */
export function detach(body: Readable): Readable {
  return chain(body, new PassThrough());
}

/** Like pipe, but a client that goes away ends the reader as well; the source survives, as its socket carries the answer. */
function chain(source: Readable, target: Transform): Transform {
  source.on("error", (error) => target.destroy(error));
  source.on("close", () => {
    if (!source.readableEnded)
      target.destroy(
        new ServiceFault("RequestTimeout", "The client went away before the body ended.", { status: 400 }),
      );
  });
  target.on("close", () => source.unpipe(target).resume());
  target.on("error", () => {}); // whoever reads it is told; an operation that takes no body reads nothing
  return source.pipe(target);
}

class HashedPayload extends Transform {
  readonly #expected: string;
  readonly #hash = createHash("sha256");

  constructor(expected: string) {
    super();
    this.#expected = expected;
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: (error: null, bytes: Buffer) => void): void {
    this.#hash.update(bytes);
    done(null, bytes);
  }

  override _flush(done: (error?: Error) => void): void {
    if (equalSecrets(this.#hash.digest("hex"), this.#expected)) done();
    else {
      const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
      done(new ServiceFault("XAmzContentSHA256Mismatch", message, { status: 400 }));
    }
  }
}
