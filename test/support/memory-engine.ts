import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ENGINE_FILES,
  type AttachedMachine,
  type BootSpec,
  type Engine,
  type Machine,
  type MachineHandle,
  type RestoreSpec,
  type TemplateFiles,
} from "../../src/engine/engine.ts";

type Phase = "running" | "paused" | "gone";

/** An engine without machines, for unit tests of the lifecycle only: it records what was asked and can be told to fail. */
export class MemoryEngine implements Engine {
  readonly capabilities = { acceleration: "tcg", fingerprint: "test", architecture: "X86_64" } as const;
  readonly machines = new Map<number, MemoryMachine>();
  readonly calls: string[] = [];
  failNext: string | undefined;
  #nextPid = 1;

  boot(spec: BootSpec): Promise<Machine> {
    return this.#start("boot", spec.directory, undefined);
  }

  async snapshot(machine: Machine, directory: string, shape: TemplateFiles["shape"]): Promise<TemplateFiles> {
    await machine.kill();
    return { directory, shape, fingerprint: "test" };
  }

  async restore(spec: RestoreSpec): Promise<Machine> {
    return this.#start("restore", spec.directory, spec);
  }

  async resume(spec: RestoreSpec): Promise<Machine> {
    await access(join(spec.directory, ENGINE_FILES.changedPages));
    return this.#start("resume", spec.directory, spec);
  }

  async attach(handle: MachineHandle): Promise<AttachedMachine | undefined> {
    const machine = this.machines.get(handle.pid);
    if (machine === undefined || machine.phase === "gone") return undefined;
    return { machine, state: machine.phase };
  }

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

  async #start(call: string, directory: string, spec: RestoreSpec | undefined): Promise<Machine> {
    this.check(call);
    const pid = this.#nextPid++;
    const machine = new MemoryMachine(this, { pid, startTicks: "1", directory, template: spec?.template });
    this.machines.set(pid, machine);
    try {
      await spec?.onStarted?.(machine.handle);
    } catch (cause) {
      machine.end();
      throw cause;
    }
    return machine;
  }
}

export class MemoryMachine implements Machine {
  readonly handle: MachineHandle;
  readonly exited: Promise<void>;
  phase: Phase = "running";
  readonly #engine: MemoryEngine;
  #onExit: () => void = () => {};

  constructor(engine: MemoryEngine, handle: MachineHandle) {
    this.#engine = engine;
    this.handle = handle;
    this.exited = new Promise((resolve) => (this.#onExit = resolve));
  }

  async pause(): Promise<void> {
    this.phase = "paused";
  }

  async unpause(): Promise<void> {
    this.#engine.check("unpause");
    this.#mustLive();
    this.phase = "running";
  }

  async suspend() {
    this.#mustLive();
    this.phase = "paused";
    this.#engine.check("suspend");
    const { changedPages, devices } = ENGINE_FILES;
    for (const name of [changedPages, devices]) await writeFile(join(this.handle.directory, name), "saved");
    return { changedBytes: 1 };
  }

  #mustLive(): void {
    if (this.phase === "gone") throw new Error("the monitor is gone");
  }

  async stats() {
    return { privateBytes: 0, cpuSeconds: 0 };
  }

  async kill(): Promise<void> {
    this.end();
  }

  end(): void {
    this.phase = "gone";
    this.#onExit();
  }
}
