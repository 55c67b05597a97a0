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
  /** Before a snapshot: flushes disks, drops what need not be kept. */
  settle(): Promise<void>;
  /** After every restore, before any traffic: clock, randomness, dead non-local TCP. */
  wake(options: WakeOptions): Promise<void>;
  /** Orderly end of the container: stop signal, then kill after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** A raw byte stream to 127.0.0.1:port (or ::1) inside the guest. */
  relay(port: number, signal?: AbortSignal): Promise<Duplex | RelayRefusal>;
  /** Output and exit events from `fromOffset` on, until `signal` aborts or the machine goes away. */
  events(fromOffset: number, signal: AbortSignal): AsyncIterable<GuestEvent>;
}
