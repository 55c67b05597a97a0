import type { Duplex } from "node:stream";
import type { RelayRefusal } from "../guest-link/guest-link.ts";
import type { OutgoingFields } from "./http/outgoing-fields.ts";

/** How the end of a body is known. */
export type Framing = "none" | "sized" | "chunked" | "until-close";

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** Name, value, name, value … as they came, checked to be of no control characters. */
  readonly rawHeaders: readonly string[];
  readonly framing: Framing;
  /** What the client gets of the fields; an application that repeats its head word for word keeps it. */
  forwarded?: OutgoingFields;
}

/** Why a request to an application got no whole answer. */
export type AppFailure =
  | { readonly failed: "refused"; readonly refusal: RelayRefusal }
  /** The connection ended; `isUntouched` when not a byte of an answer had come on it. */
  | { readonly failed: "closed"; readonly isUntouched: boolean }
  /** The answer is not HTTP, or against its rules. */
  | { readonly failed: "nonsense" }
  /** The application answered as one does that waits for TLS. */
  | { readonly failed: "wants-tls" }
  /** An HTTP/2 application gave the stream up, with this code. */
  | { readonly failed: "reset"; readonly code: number };

/** Who asked. Calls come in this order; `onFailed` may come instead of any and is the last, as `onEnd` is. */
export interface AnswerHandler {
  onContinue(): void;
  onInformation(status: number, rawHeaders: readonly string[]): void;
  onHead(head: AnswerHead): void;
  /** False when the client cannot take more now: `resume` follows. */
  onData(chunk: Buffer): boolean;
  onEnd(rawTrailers: readonly string[]): void;
  onFailed(failure: AppFailure): void;
  /** The application can take more of the request's body. */
  onAppDrain(): void;
  /** The application agreed to leave HTTP; the stream is the handler's from now on, with every byte after the head unread. */
  onSwitch(head: AnswerHead, stream: Duplex): void;
}

/** A request for an application, its header fields as HTTP/1.1 has them. */
export interface AppRequestHead {
  readonly method: string;
  readonly path: string;
  readonly fields: OutgoingFields;
  /** Goes with the fields. */
  readonly requestId: string;
  readonly body: "none" | "sized" | "chunked";
  /** Asks to leave HTTP; only on a connection that takes no other request. */
  readonly isUpgrade: boolean;
}

/** A request under way. */
export interface AppRequest {
  /** False when it should wait for `onAppDrain`. */
  write(chunk: Buffer): boolean;
  end(rawTrailers: readonly string[]): void;
  /** Hands over the answer again after `onData` said false. */
  resume(): void;
  /** Gives the request up; nothing is called any more. */
  destroy(): void;
}

/** A connection to an application, whatever it speaks. */
export interface AppConnection {
  /** Whether another request went over it before. */
  readonly isReused: boolean;
  send(head: AppRequestHead, handler: AnswerHandler): AppRequest;
  /** Nobody has a use for it after all. */
  discard(): void;
}
