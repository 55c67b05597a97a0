import type { BuiltImage } from "../build/image-builder.ts";
import type { Engine, MachineHandle } from "../engine/engine.ts";
import type { Templates } from "../images/templates.ts";
import type { GuestAddress, GuestLink } from "../guest-link/guest-link.ts";
import type { LogDestinations } from "../logs/log-destination.ts";
import type { Meter } from "../metering/meter.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import type { Log } from "../observability/log.ts";
import type { DiskReserve } from "../util/disk-reserve.ts";
import type { Turns } from "../util/turns.ts";
import type { HostCapacity } from "./host-capacity.ts";
import type { PreparedMachines } from "./prepared-machines.ts";
import type { MicrovmRow, MicrovmStore } from "../store/microvm-store.ts";

/** What every life needs from the house; injected once. */
export interface LifeContext {
  readonly engine: Engine;
  readonly templates: Templates;
  readonly slots: { acquire(): Promise<SlotLease>; adopt(number: number): SlotLease | undefined };
  /** Aborted when the server goes down: what sleeps then sleeps on. */
  readonly goingDown?: AbortSignal;
  /** Starts and wakes from disk take turns here. */
  readonly starts?: Turns;
  /** Asked before a machine is started. */
  readonly capacity?: HostCapacity;
  /** Asked before something is started or woken. */
  readonly disk?: DiskReserve;
  /** Machines started ahead. */
  readonly prepared?: PreparedMachines;
  /** Every microVM gets a host name and a machine id of its own. */
  readonly freshIdentity?: boolean;
  readonly openLink: (address: GuestAddress) => GuestLink;
  /** What a microVM with these egress connectors may connect to, as of now. */
  readonly egressOf: (connectors: readonly string[]) => Promise<EgressPolicy>;
  /** Where output goes beside a file of the home. */
  readonly logs?: LogDestinations;
  readonly store: MicrovmStore;
  /** Notes usage with every change of state. */
  readonly meter?: Pick<Meter, "entryFor">;
  readonly log: Log;
  /** Directory that holds a folder per microVM. */
  readonly microvmsDirectory: string;
  readonly dozeMs: number;
}

/** `machine_json`: how to find the machine of a microVM again. */
export interface StoredMachine {
  readonly slot: number;
  readonly handle: MachineHandle;
}

/** What a microVM was started from; undefined before its first start. */
export function imageOf({ image_json: json }: Pick<MicrovmRow, "image_json">): BuiltImage | undefined {
  return json === null ? undefined : (JSON.parse(json) as BuiltImage);
}
