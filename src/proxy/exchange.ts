import type { Activity } from "./activity.ts";
import type { ClientExchange } from "./client-exchange.ts";
import type { MicrovmLife } from "./microvm-life.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestBody } from "./client/request-body.ts";
import type { RequestHead } from "./request-head.ts";

/** One request of a client, checked. */
export interface Exchange {
  readonly client: ClientExchange;
  readonly head: RequestHead;
  /** Undefined when the request has none. */
  readonly body: RequestBody | undefined;
  /** The origin whose page may read the answer. */
  readonly origin: string | undefined;
}

/** Where an exchange goes. */
export interface Route {
  readonly life: MicrovmLife;
  readonly port: number;
  readonly activity: Activity;
}

/**
 * How a try to forward ended. "answered": the client has its answer, or is gone. A refusal: nothing was sent yet.
 * "stale": the request surely was not processed twice if it is sent again on a new connection.
 * "maybe-tls": the application answered as one does that waits for TLS, and the request can be sent again.
 */
export type Outcome = "answered" | "stale" | "maybe-tls" | Refusal;
