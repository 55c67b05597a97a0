/**
 * The engine port: what a virtual machine monitor driver must do. Drivers live in folders beside this file and know
 * nothing of images, microVMs or AWS; they work on files and processes.
 *
 * Memory, disk and device state of a template are read-only files shared by all; a clone owns only what it changed.
 */
import type { FileSeal } from "./sealed-files.ts";

export interface EngineCapabilities {
  /** "kvm" or "tcg" with qemu; chosen by a timed probe, never by the existence of a device file. */
  readonly acceleration: "kvm" | "tcg";
  /** Changes with everything that a snapshot holds or depends on: monitor, firmware, kernel, guest agent, machine type. */
  readonly fingerprint: string;
  /** Files of the host that the fingerprint was made of. */
  readonly hostFiles: readonly string[];
  readonly architecture: "X86_64" | "ARM_64";
  /** False where control groups are not ours to make: machines share memory and processors without bounds there. */
  readonly boundsMachines: boolean;
}

/** Where the machine's network card is plugged in; made by network/. */
export interface NetworkAttachment {
  /** Name of the network namespace the monitor process runs in. */
  readonly namespace: string;
  readonly tap: string;
  /** Unprivileged user id of the host that the monitor process runs as; no two slots of a host share one. */
  readonly userId: number;
  readonly mac: string;
}

/** Hardware of a machine; equal for a template and all its clones. */
export interface MachineShape {
  readonly memoryMiB: number;
  readonly vcpus: number;
}

/** Read-only files of a template snapshot, in one directory. */
export interface TemplateFiles {
  readonly directory: string;
  readonly shape: MachineShape;
  readonly fingerprint: string;
  /** Of what its machines read; templates of before have none. */
  readonly seals?: TemplateSeals;
}

export interface TemplateSeals {
  readonly memory: FileSeal;
  readonly upper: FileSeal;
  readonly rootfs: FileSeal;
}

/** File names inside a template directory and a microVM directory. */
export const ENGINE_FILES = {
  templateMemory: "memory.base",
  templateDevices: "device.state",
  templateUpper: "disk.upper",
  upper: "disk.upper",
  changedPages: "memory.diff",
  devices: "device.state",
  /** Checksum of a sleeper's disk. */
  upperSeal: "disk.seal",
  /** Of a template or a microVM: what a machine of it read of the template, as a hint to the next. */
  workingSet: "memory.touched",
} as const;

export interface BootSpec {
  /** Working directory for sockets, console and, at snapshot time, the template's files. */
  readonly directory: string;
  readonly shape: MachineShape;
  /** Read-only root file system image of the container (ext4). */
  readonly rootfs: string;
  /** Writable upper disk (sparse raw ext4). */
  readonly upper: string;
  readonly network: NetworkAttachment;
}

export interface RestoreSpec {
  /** The microVM's own directory: made for a clone, with a copy of its template's disk; of a sleeper it holds all. */
  readonly directory: string;
  readonly template: TemplateFiles;
  readonly rootfs: string;
  readonly network: NetworkAttachment;
  /** Stops before the guest's first instruction; `unpause` starts it. */
  readonly isPaused?: boolean;
  /** Awaited once the process exists and before its guest runs, so that no guest ever runs unrecorded. */
  readonly onStarted?: (handle: MachineHandle) => Promise<void>;
}

/** Identifies a monitor process across server restarts; plain data, stored with the microVM. */
export interface MachineHandle {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot: guards against a reused pid. */
  readonly startTicks: string;
  readonly directory: string;
  readonly template: TemplateFiles | undefined;
  /** Name of the control group that bounds the process. */
  readonly controlGroup?: string;
}

/** Within its baseline, or beyond: who uses more than its own yields to who does not. */
export type Priority = "baseline" | "surplus";

/** What a machine has used and holds now. */
export interface MachineReading {
  /** Processor time of its process since that began. */
  readonly cpuSeconds: number;
  /** Memory of its process: at least what its guest has touched. */
  readonly residentBytes: number;
}

export interface SuspendResult {
  /** Bytes of the page difference on disk. */
  readonly changedBytes: number;
}

/** A running (or paused) machine. */
export interface Machine {
  readonly handle: MachineHandle;
  /** Settles when the monitor process is gone, however that came about. */
  readonly exited: Promise<void>;
  /**
   * Whether the guest stands still because the disk of the host did not take what it wrote. It goes on, with nothing
   * lost, as soon as there is room.
   */
  isStalled(): Promise<boolean>;
  /** Called whenever it comes to stand still. */
  onDiskFull(listener: () => void): void;
  /** Freezes the virtual CPUs. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /**
   * Freezes the machine and writes what it changed since its template to its directory, complete and fsynced before
   * this resolves. The paused process stays (dozing) until `kill` or `unpause`.
   */
  suspend(): Promise<SuspendResult>;
  /** Renames the machine's directory, whatever state the machine is in; the handle tells the new one. */
  moveTo(directory: string): Promise<void>;
  /** Writes what the machine has read of its template so far beside the template, for the clones to come. */
  noteWorkingSet(): Promise<void>;
  /** Ends the process at once; resolves when it is gone. Never throws for a process already gone. */
  kill(): Promise<void>;
}

export interface AttachedMachine {
  readonly machine: Machine;
  /** "incoming": the process was started but its guest never ran. */
  readonly state: "running" | "paused" | "incoming";
}

export interface Engine {
  readonly capabilities: EngineCapabilities;
  /** Cold boot whose memory is backed by a file, so that it can become a template. */
  boot(spec: BootSpec): Promise<Machine>;
  /** Turns a booted machine of this shape into a template in `directory` and ends its process. */
  snapshot(machine: Machine, directory: string, shape: MachineShape): Promise<TemplateFiles>;
  /** Starts a clone of a template, paused or running from where the snapshot was taken. */
  restore(spec: RestoreSpec): Promise<Machine>;
  /** Starts a suspended machine again from the difference in its directory. */
  resume(spec: RestoreSpec): Promise<Machine>;
  /** Finds a machine again after a server restart; undefined when its process is gone. */
  attach(handle: MachineHandle): Promise<AttachedMachine | undefined>;
  /** A reading of a machine, cheap enough for every machine every second; undefined when its process is gone. */
  read(handle: MachineHandle): MachineReading | undefined;
  /** What a machine counts for where the host's processors are short, until told otherwise or started anew. */
  prefer(handle: MachineHandle, priority: Priority): Promise<void>;
  /** Memory that the guest of a clone has touched and holds. Takes the kernel some milliseconds per gigabyte. */
  guestBytes(handle: MachineHandle): Promise<number>;
  /**
   * Whether machines of this template can be started here: with this engine, or with the one it was made with, which is
   * kept as long as `keepOnly` names it.
   */
  canLoad(template: TemplateFiles): Promise<boolean>;
  /** Seals a template and the root file system that its machines have: what is damaged later is found. */
  seal(template: TemplateFiles, rootfs: string): Promise<TemplateFiles>;
  /**
   * Files of a template, or its root file system, that are not as they were sealed: as far as can be told at once, or,
   * `fromDisk`, by reading all of them.
   */
  damagedFiles(template: TemplateFiles, rootfs: string, options?: { fromDisk: boolean }): Promise<string[]>;
  /** Forgets the engines that no template of these fingerprints needs. */
  keepOnly(fingerprints: ReadonlySet<string>): Promise<void>;
  /** Ends every monitor process that works in `directory` or below, except the given ones. */
  killStrays(directory: string, keep: ReadonlySet<number>): Promise<void>;
  /** Removes what bounded machines of networks whose names begin so, and outlived them; call it before any is started. */
  removeEmptyGroups(prefix: string): Promise<void>;
}
