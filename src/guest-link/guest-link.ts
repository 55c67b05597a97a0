import type { Duplex } from "node:stream";
import type { ContainerConfig } from "../model/container.ts";

/** Where the agent of one machine answers: the slot's host-side address, forwarded to the guest. */
export interface GuestAddress {
  readonly host: string;
  readonly port: number;
}

export type RelayRefusal =
  /** Nothing listens on the port. */
  | { readonly refused: "port-closed" }
  /** The agent or the whole guest did not answer in time. */
  | { readonly refused: "guest-unreachable"; readonly cause: unknown };

export type GuestStatus =
  | { readonly app: "idle" }
  | { readonly app: "running"; readonly pid: number }
  | { readonly app: "exited"; readonly code: number };

export interface WakeOptions {
  readonly wallClock: Date;
  /** Fresh host randomness for the kernel's pool, at least 32 bytes. */
  readonly entropy: Uint8Array;
}

/** A frame of the agent's event stream. */
export type GuestEvent =
  | { readonly kind: "output"; readonly offset: number; readonly stream: "stdout" | "stderr"; readonly bytes: Buffer }
  /** Output that left the bounded ring before it was read. */
  | { readonly kind: "dropped"; readonly bytes: number }
  | { readonly kind: "exited"; readonly code: number };

/** Characters; 0 by 0 until the client says better (contract 7). */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A program to run beside the app, in its container. */
export interface SessionRequest {
  readonly argv: readonly string[];
  /** Over the app's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute; the app's when left out. */
  readonly workingDir?: string;
  /** As an image's USER; the app's when left out. */
  readonly user?: string;
  /** Runs on a terminal of this size; on pipes when left out. */
  readonly terminal?: TerminalSize;
  /** The agent's own busybox instead of a program of the image. */
  readonly isBusybox?: boolean;
}

export type SessionEvent =
  /** A terminal has no stderr. */
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: Buffer }
  | { readonly kind: "exited"; readonly code: number };

/**
 * A program that runs: bytes written are its input, and ending the writing ends that; read are SessionEvents, the last
 * one its exit. Ends without an exit when the machine is gone. Reading late holds the program up. Destroying it hangs
 * the program up.
 */
export interface GuestSession extends Duplex {
  resize(size: TerminalSize): void;
}

export type SessionRefusal =
  /** As shells and container runtimes have it: 127 not found, 126 cannot be executed, 125 anything else. */
  | { readonly refused: "not-started"; readonly code: number; readonly reason: string }
  /** The image was built with an agent that knows no sessions. */
  | { readonly refused: "agent-too-old" }
  /** The agent's reason, such as too many sessions. */
  | { readonly refused: "agent-refused"; readonly reason: string }
  | { readonly refused: "guest-unreachable"; readonly cause: unknown };

export interface GuestIdentity {
  /** 1–63 of a–z, 0–9 and hyphens. */
  readonly hostname: string;
  /** As machine-id(5): 32 hexadecimal digits. */
  readonly machineId: string;
}

/** Host side of the guest contract; one per machine, stateless between calls. */
export interface GuestLink {
  /** Resolves when the agent answers; retries fast until then. */
  waitUntilUp(signal: AbortSignal): Promise<void>;
  /** Starts the container's main process. */
  start(config: ContainerConfig): Promise<void>;
  status(): Promise<GuestStatus>;
  /** Ports of `ports` on which something in the guest listens (127.0.0.1, ::1 or any address). */
  listeningPorts(ports: readonly number[]): Promise<number[]>;
  /** Busy CPU time of the whole guest so far, in milliseconds; two readings tell quiet from busy. */
  busyMs(): Promise<number>;
  /** Before a snapshot: freezes the app until the next wake, if it can be frozen, and flushes the disks. */
  settle(): Promise<{ readonly isFrozen: boolean }>;
  /** Gives the container a host name and a machine id; without, they are those of every clone of its snapshot. */
  identify(identity: GuestIdentity): Promise<void>;
  /** Does all that a wake does, for a guest whose app stays frozen: the next one is quicker. */
  rehearse(options: WakeOptions): Promise<void>;
  /** After every restore, before any traffic: clock, randomness, dead non-local TCP. */
  wake(options: WakeOptions): Promise<void>;
  /** Orderly end of the container: stop signal, then kill after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** A raw byte stream to 127.0.0.1:port (or ::1) inside the guest. */
  relay(port: number, signal?: AbortSignal): Promise<Duplex | RelayRefusal>;
  /** Runs a program in the app's container for as long as the result is open. */
  session(request: SessionRequest, signal?: AbortSignal): Promise<GuestSession | SessionRefusal>;
  /** Output and exit events from `fromOffset` on, until `signal` aborts or the machine goes away. */
  events(fromOffset: number, signal: AbortSignal): AsyncIterable<GuestEvent>;
}
