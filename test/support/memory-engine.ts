import { access, copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ENGINE_FILES,
  type AttachedMachine,
  type BootSpec,
  type Engine,
  type EngineCapabilities,
  type Machine,
  type MachineHandle,
  type MachineReading,
  type Priority,
  type RestoreSpec,
  type TemplateFiles,
} from "../../src/engine/engine.ts";

type Phase = "running" | "paused" | "incoming" | "gone";

/** An engine without machines, for unit tests of the lifecycle only: it records what was asked and can be told to fail. */
export class MemoryEngine implements Engine {
  capabilities: EngineCapabilities = {
    acceleration: "tcg",
    fingerprint: "test",
    hostFiles: [],
    architecture: "X86_64",
    boundsMachines: false,
  };
  readonly machines = new Map<number, MemoryMachine>();
  readonly calls: string[] = [];
  failNext: string | undefined;
  #nextPid = 1;

  boot(spec: BootSpec): Promise<Machine> {
    return this.#start("boot", spec.directory, undefined);
  }

  async snapshot(machine: Machine, directory: string, shape: TemplateFiles["shape"]): Promise<TemplateFiles> {
    await machine.kill();
    return { directory, shape, fingerprint: this.capabilities.fingerprint };
  }

  async restore(spec: RestoreSpec): Promise<Machine> {
    await mkdir(spec.directory, { recursive: true });
    const { templateUpper, upper } = ENGINE_FILES;
    await copyFile(join(spec.template.directory, templateUpper), join(spec.directory, upper));
    return this.#start("restore", spec.directory, spec);
  }

  async resume(spec: RestoreSpec): Promise<Machine> {
    const saved = await readFile(join(spec.directory, ENGINE_FILES.changedPages), "utf8");
    await access(join(spec.directory, ENGINE_FILES.devices));
    return this.#start("resume", spec.directory, spec, Number(saved));
  }

  async attach(handle: MachineHandle): Promise<AttachedMachine | undefined> {
    const machine = this.machines.get(handle.pid);
    if (machine === undefined || machine.phase === "gone") return undefined;
    return { machine, state: machine.phase };
  }

  read(handle: MachineHandle): MachineReading | undefined {
    const machine = this.machines.get(handle.pid);
    if (machine === undefined || machine.phase === "gone") return undefined;
    return { cpuSeconds: machine.cpuSeconds, residentBytes: machine.guestBytes };
  }

  async prefer(handle: MachineHandle, priority: Priority): Promise<void> {
    const machine = this.machines.get(handle.pid);
    if (machine !== undefined) machine.priority = priority;
  }

  async guestBytes(handle: MachineHandle): Promise<number> {
    return this.machines.get(handle.pid)?.guestBytes ?? 0;
  }

  /** Fingerprints of templates that load, besides the present one. */
  readonly kept = new Set<string>();

  async canLoad({ fingerprint }: TemplateFiles): Promise<boolean> {
    return fingerprint === this.capabilities.fingerprint || this.kept.has(fingerprint);
  }

  /** Files that were found damaged. */
  readonly damaged = new Set<string>();

  async seal(template: TemplateFiles): Promise<TemplateFiles> {
    return template;
  }

  async damagedFiles({ directory }: TemplateFiles, rootfs: string): Promise<string[]> {
    return [...this.damaged].filter((path) => path === rootfs || path.startsWith(`${directory}/`));
  }

  async keepOnly(fingerprints: ReadonlySet<string>): Promise<void> {
    for (const one of this.kept) if (!fingerprints.has(one)) this.kept.delete(one);
  }

  async removeEmptyGroups(): Promise<void> {}

  async killStrays(directory: string, keep: ReadonlySet<number>): Promise<void> {
    for (const [pid, machine] of this.machines) {
      if (!keep.has(pid) && machine.handle.directory.startsWith(directory)) await machine.kill();
    }
  }

  get living(): number {
    return [...this.machines.values()].filter((machine) => machine.phase !== "gone").length;
  }

  /** `kill -9` of every monitor. */
  kill(): void {
    for (const machine of this.machines.values()) machine.end();
  }

  /** Throws once where a test asked for it. */
  check(call: string): void {
    this.calls.push(call);
    if (this.failNext !== call) return;
    this.failNext = undefined;
    throw new Error(`${call} fails on request`);
  }

  /** A request to the one machine that works in `directory`; what its memory and its disk count after it. */
  async serve(directory: string): Promise<{ memory: number; disk: number }> {
    const running = [...this.machines.values()].filter(
      (machine) => machine.phase === "running" && machine.handle.directory === directory,
    );
    if (running.length !== 1) throw new Error(`${running.length} machines run in ${directory}`);
    const disk = join(directory, ENGINE_FILES.upper);
    const onDisk = Number(await readFile(disk, "utf8")) + 1;
    await writeFile(disk, String(onDisk));
    return { memory: ++running[0]!.memory, disk: onDisk };
  }

  async #start(call: string, directory: string, spec: RestoreSpec | undefined, memory = 0): Promise<Machine> {
    this.check(call);
    const pid = this.#nextPid++;
    const machine = new MemoryMachine(this, { pid, startTicks: "1", directory, template: spec?.template });
    machine.memory = memory;
    this.machines.set(pid, machine);
    try {
      await spec?.onStarted?.(machine.handle);
    } catch (cause) {
      machine.end();
      throw cause;
    }
    machine.phase = spec?.isPaused ? "paused" : "running";
    return machine;
  }
}

export class MemoryMachine implements Machine {
  handle: MachineHandle;
  readonly exited: Promise<void>;
  phase: Phase = "incoming";
  priority: Priority | undefined;
  /** Requests served, as its memory knows it. */
  memory = 0;
  /** What it has used and holds; tests set it. */
  cpuSeconds = 0;
  guestBytes = 0;
  readonly #engine: MemoryEngine;
  #onExit: () => void = () => {};

  constructor(engine: MemoryEngine, handle: MachineHandle) {
    this.#engine = engine;
    this.handle = handle;
    this.exited = new Promise((resolve) => (this.#onExit = resolve));
  }

  /** Told by a test: for want of disk. */
  standsStill = false;

  async isStalled(): Promise<boolean> {
    return this.standsStill;
  }

  onDiskFull(): void {}

  async pause(): Promise<void> {
    this.phase = "paused";
  }

  async unpause(): Promise<void> {
    this.#engine.check("unpause");
    this.#mustLive();
    this.phase = "running";
  }

  async noteWorkingSet(): Promise<void> {}

  async moveTo(directory: string): Promise<void> {
    await rename(this.handle.directory, directory);
    this.handle = { ...this.handle, directory };
  }

  async suspend() {
    this.#mustLive();
    this.phase = "paused";
    this.#engine.check("suspend");
    const { changedPages, devices } = ENGINE_FILES;
    for (const name of [changedPages, devices]) await writeFile(join(this.handle.directory, name), String(this.memory));
    return { changedBytes: 1 };
  }

  #mustLive(): void {
    if (this.phase === "gone") throw new Error("the monitor is gone");
  }

  async kill(): Promise<void> {
    this.end();
  }

  end(): void {
    this.phase = "gone";
    this.#onExit();
  }
}
