import type { IncomingMessage, ServerResponse } from "node:http";
import type { Activity } from "./activity.ts";
import type { MicrovmLife } from "./microvm-life.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

/** One request of a client and the answer it gets. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
  readonly requestId: string;
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
 */
export type Outcome = "answered" | "stale" | Refusal;

/** Response header bytes taken from an application. */
export const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;
