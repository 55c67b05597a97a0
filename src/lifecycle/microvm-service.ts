import type { Kysely } from "kysely";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { LoggingSetting } from "../logs/log-destination.ts";
import type { MicrovmState } from "../model/states.ts";
import type { MicrovmOwner, MicrovmPage } from "../store/microvm-store.ts";
import type { Database } from "../store/tables.ts";

export interface IdlePolicy {
  readonly maxIdleDurationSeconds: number;
  readonly suspendedDurationSeconds: number;
  readonly autoResumeEnabled: boolean;
}

export interface RunRequest {
  readonly accountId: string;
  readonly region: string;
  readonly imageArn: string;
  /** Resolved by the caller: a SUCCESSFUL, ACTIVE version. */
  readonly imageVersion: string;
  readonly buildId: string;
  readonly executionRoleArn?: string;
  readonly logging?: LoggingSetting;
  readonly idlePolicy?: IdlePolicy;
  readonly maximumDurationInSeconds: number;
  readonly ingressNetworkConnectors: readonly string[];
  readonly egressNetworkConnectors: readonly string[];
  /** Given to the run hook as it is; forgotten when that has answered. */
  readonly runHookPayload?: string;
}

/** A microVM as the API shows it (contract appendix A, GetMicrovm). */
export interface MicrovmView extends RunRequest {
  readonly microvmId: string;
  readonly state: MicrovmState;
  readonly stateReason?: string;
  /** Bare host name, ":port" appended only when the listener is not on 443. */
  readonly endpoint: string;
  readonly startedAt: Date;
  readonly terminatedAt?: Date;
}

/** The life of microVMs as the API drives it. Transitions of one microVM never race. */
export interface MicrovmService {
  /**
   * Answers at once with state PENDING; the machine starts behind it. `also` is committed with the microVM's row or not
   * at all.
   */
  run(request: RunRequest, also?: (db: Kysely<Database>, view: MicrovmView) => Promise<void>): Promise<MicrovmView>;
  get(microvmId: string): Promise<MicrovmView | undefined>;
  /** TERMINATED ones included, as long as they are remembered. */
  list(owner: MicrovmOwner, page: MicrovmPage): Promise<MicrovmView[]>;
  /** Resolves once SUSPENDING is recorded; "wrong-state" when PENDING, TERMINATING or TERMINATED. */
  suspend(microvmId: string): Promise<"accepted" | "wrong-state">;
  resume(microvmId: string): Promise<"accepted" | "wrong-state">;
  terminate(microvmId: string): Promise<void>;
  /** Microvms of an image that are not TERMINATED. */
  countLive(imageArn: string, imageVersion?: string): Promise<number>;
}

export type WakeRefusal =
  /** TERMINATED, TERMINATING or unknown to this host. */
  | { readonly refused: "gone" }
  /** Asleep and its idle policy does not allow traffic to wake it. */
  | { readonly refused: "asleep" }
  | { readonly refused: "failed"; readonly cause: unknown };

/** What the endpoint proxy knows of microVMs: in memory, no store access per request. */
export interface EndpointDirectory {
  /** By the first label of the endpoint's host name. */
  find(endpointLabel: string): EndpointTarget | undefined;
}

export interface EndpointTarget {
  readonly microvmId: string;
  readonly ingressNetworkConnectors: readonly string[];
  /** Returns the running microVM's guest link, waking it if asleep; one wake serves all who wait. */
  awake(signal: AbortSignal): Promise<GuestLink | WakeRefusal>;
  /** A request is about to be forwarded; call what is returned when it has its answer. Undefined: the microVM falls asleep. */
  enter(): (() => void) | undefined;
  /** Bytes passed in either direction: restarts the idle timer. */
  touch(): void;
  /** Called when the microVM leaves RUNNING; open connections to it are dead. */
  onDown(listener: () => void): () => void;
}
