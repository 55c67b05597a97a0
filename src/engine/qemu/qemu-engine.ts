import { createHash } from "node:crypto";
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { AppError } from "../../errors/app-error.ts";
import { runCommand } from "../../util/run-command.ts";
import {
  ENGINE_FILES,
  type AttachedMachine,
  type BootSpec,
  type Engine,
  type EngineCapabilities,
  type Machine,
  type MachineHandle,
  type MachineReading,
  type RestoreSpec,
  type TemplateFiles,
} from "../engine.ts";
import { openControlGroups, type ControlGroups } from "../control-groups.ts";
import { DifferenceThread } from "../memory/difference-thread.ts";
import { chooseAcceleration, type Acceleration } from "./acceleration.ts";
import { commandLine, QMP_SOCKET, type CommandLineSpec, type GuestFiles } from "./command-line.ts";
import {
  jailArguments,
  makeJailRoot,
  parseMonitorVersion,
  readOnlyMemory,
  type JailFiles,
  type MonitorVersion,
} from "./jail.ts";
import { checkDeviceState } from "./device-state.ts";
import { DEVICE_STATE_URI, type FilesToInherit } from "./inherited-files.ts";
import { kernelArguments } from "./kernel-arguments.ts";
import { guestBytesOf, readMachine } from "./machine-reading.ts";
import { probeBoot } from "./probe-boot.ts";
import { endProcess, processesWorkingIn, startTicksOf } from "./process-identity.ts";
import { QemuMachine, syncDirectory, type MachineTools } from "./qemu-machine.ts";
import { launchQemu, type StartedQemu } from "./qemu-process.ts";
import { QmpClient } from "./qmp-client.ts";

export interface QemuEngineOptions {
  readonly guest: GuestFiles;
  readonly acceleration: "auto" | Acceleration;
  readonly jail: JailFiles;
}

/** 2: device state is sealed. */
const SNAPSHOT_FORMAT = 2;
const ATTACH_TIMEOUT_MS = 5_000;
const POLL_MS = 5;

/** The QEMU driver on this host: its acceleration is measured once, here. */
export async function openQemuEngine(options: QemuEngineOptions): Promise<Engine> {
  const program = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const { stdout: version } = await runCommand(program, ["--version"]);
  const acceleration = await chooseAcceleration(options.acceleration, probeBoot(program, options.guest));
  const groups = await openControlGroups();
  const capabilities: EngineCapabilities = {
    acceleration,
    fingerprint: await fingerprint(version, acceleration, options.guest),
    architecture: process.arch === "arm64" ? "ARM_64" : "X86_64",
    boundsMachines: groups.isAvailable,
  };
  const append = await kernelArguments(acceleration, options.guest);
  await makeJailRoot(options.jail.root);
  const monitor = { program, version: parseMonitorVersion(version), jail: options.jail, groups };
  return new QemuEngine(monitor, { acceleration, guest: options.guest, kernelArguments: append }, capabilities);
}

/**
 * A snapshot loads only into the same monitor, kernel and virtual hardware. It brings its guest agent along, so that a
 * newer initramfs, which only boots read, changes nothing for it.
 */
async function fingerprint(version: string, acceleration: Acceleration, guest: GuestFiles): Promise<string> {
  const { size } = await stat(guest.kernel);
  const parts = [version.split("\n")[0], hardwareOf(acceleration), size, SNAPSHOT_FORMAT];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

/** A monitor that does not run the guest after loading tells nobody when it has loaded. */
async function whenLoaded(qmp: QmpClient): Promise<void> {
  while ((await qmp.execute<{ status: string }>("query-status")).status === "inmigrate") await setTimeout(POLL_MS);
}

/** All arguments that are not one machine's own. */
function hardwareOf(acceleration: Acceleration): string[] {
  return commandLine({
    directory: "",
    shape: { memoryMiB: 0, vcpus: 0 },
    acceleration,
    guest: { kernel: "", initramfs: "", tscMeter: "" },
    kernelArguments: "",
    memoryFile: "",
    memoryIs: "clone",
    jail: { arguments: [], memoryOption: "" },
    network: { namespace: "", tap: "", mac: "", userId: 0 },
  });
}

/** The program that runs machines, and what confines it. */
interface Monitor {
  readonly program: string;
  readonly version: MonitorVersion;
  readonly jail: JailFiles;
  readonly groups: ControlGroups;
}

interface StartedInGroup extends StartedQemu {
  readonly controlGroup: string;
}

class QemuEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  readonly #monitor: Monitor;
  readonly #common: Pick<CommandLineSpec, "acceleration" | "guest" | "kernelArguments">;
  readonly #tools: MachineTools;

  constructor(
    monitor: Monitor,
    common: Pick<CommandLineSpec, "acceleration" | "guest" | "kernelArguments">,
    capabilities: EngineCapabilities,
  ) {
    this.#monitor = monitor;
    this.#common = common;
    this.#tools = { differences: new DifferenceThread(), groups: monitor.groups };
    this.#tools.differences.warmUp();
    this.capabilities = capabilities;
  }

  async boot(spec: BootSpec): Promise<Machine> {
    const started = await this.#launch(
      {
        ...spec,
        ...this.#common,
        memoryFile: join(spec.directory, ENGINE_FILES.templateMemory),
        memoryIs: "template",
      },
      { upper: spec.upper, rootfs: spec.rootfs },
    );
    return this.#machine(started, spec.directory, undefined);
  }

  async snapshot(machine: Machine, directory: string, shape: TemplateFiles["shape"]): Promise<TemplateFiles> {
    if (!(machine instanceof QemuMachine)) throw new TypeError("A machine of another engine");
    await machine.pause();
    await machine.saveDevices(join(directory, ENGINE_FILES.templateDevices));
    await machine.kill();
    // The guest's memory was the file itself; what the kernel has not written back yet is written now.
    for (const name of [ENGINE_FILES.templateMemory, ENGINE_FILES.templateUpper]) {
      const from = join(machine.handle.directory, name);
      const file = await open(from, "r");
      await file.datasync().finally(() => file.close());
      if (machine.handle.directory !== directory) await rename(from, join(directory, name));
    }
    await syncDirectory(directory);
    return { directory, shape, fingerprint: this.capabilities.fingerprint };
  }

  restore(spec: RestoreSpec): Promise<Machine> {
    return this.#startClone(spec, join(spec.template.directory, ENGINE_FILES.templateDevices), undefined);
  }

  resume(spec: RestoreSpec): Promise<Machine> {
    const { devices, changedPages } = ENGINE_FILES;
    return this.#startClone(spec, join(spec.directory, devices), join(spec.directory, changedPages));
  }

  async attach(handle: MachineHandle): Promise<AttachedMachine | undefined> {
    if ((await startTicksOf(handle.pid)) !== handle.startTicks) {
      if (handle.controlGroup !== undefined) await this.#monitor.groups.remove(handle.controlGroup);
      return undefined;
    }
    const qmp = await QmpClient.open(join(handle.directory, QMP_SOCKET), { timeoutMs: ATTACH_TIMEOUT_MS });
    const { status } = await qmp.execute<{ status: string }>("query-status");
    const state = status === "running" ? "running" : status === "inmigrate" ? "incoming" : "paused";
    return { machine: new QemuMachine(handle, qmp, this.#tools), state };
  }

  read(handle: MachineHandle): MachineReading | undefined {
    return readMachine(handle);
  }

  guestBytes(handle: MachineHandle): Promise<number> {
    return guestBytesOf(handle);
  }

  async killStrays(directory: string, keep: ReadonlySet<number>): Promise<void> {
    for (const pid of await processesWorkingIn(directory)) {
      if (keep.has(pid)) continue;
      const group = await this.#monitor.groups.nameOf(pid);
      await endProcess(pid);
      if (group !== undefined) await this.#monitor.groups.remove(group);
    }
  }

  async #startClone(spec: RestoreSpec, deviceState: string, difference: string | undefined): Promise<Machine> {
    if (spec.template.fingerprint !== this.capabilities.fingerprint) {
      throw new AppError("ERR_ENGINE_SNAPSHOT", {
        message: "The snapshot was made by another version of the monitor or kernel; build the image again",
      });
    }
    await checkDeviceState(deviceState);
    const memoryFile = join(spec.template.directory, ENGINE_FILES.templateMemory);
    const started = await this.#launch(
      {
        ...spec,
        ...this.#common,
        shape: spec.template.shape,
        memoryFile,
        memoryIs: "clone",
        workingSet: join(difference === undefined ? spec.template.directory : spec.directory, ENGINE_FILES.workingSet),
      },
      { upper: join(spec.directory, ENGINE_FILES.upper), rootfs: spec.rootfs, deviceState },
    );
    try {
      await spec.onStarted?.(this.#machine(started, spec.directory, spec.template).handle);
      // Devices check their queues in guest memory when they load, so the memory comes first.
      if (difference !== undefined) {
        await this.#tools.differences.run({ work: "load", pid: started.pid, base: memoryFile, file: difference });
      }
      const resumed = spec.isPaused ? whenLoaded(started.qmp) : started.qmp.nextEvent("RESUME");
      await Promise.all([started.qmp.execute("migrate-incoming", { uri: DEVICE_STATE_URI }), resumed]);
      return this.#machine(started, spec.directory, spec.template);
    } catch (cause) {
      await this.#machine(started, spec.directory, spec.template).kill();
      throw cause;
    }
  }

  async #launch(
    spec: Omit<CommandLineSpec, "jail"> & { readonly workingSet?: string },
    files: Omit<FilesToInherit, "directory">,
  ): Promise<StartedInGroup> {
    const { program, version, jail, groups } = this.#monitor;
    const { userId, namespace } = spec.network;
    const memory =
      spec.memoryIs === "clone"
        ? readOnlyMemory(version, { files: jail, memoryFile: spec.memoryFile })
        : { option: "", environment: {} };
    const confined = { arguments: jailArguments(version, { root: jail.root, userId }), memoryOption: memory.option };
    const controlGroup = namespace;
    const joined = await groups.make(controlGroup, spec.shape);
    const started = await launchQemu({
      launcher: jail.launcher,
      groups: joined,
      prefetch: spec.workingSet === undefined ? [] : [spec.memoryFile, spec.workingSet],
      program,
      args: commandLine({ ...spec, jail: confined }),
      environment: memory.environment,
      directory: spec.directory,
      namespace,
      files: { ...files, directory: spec.directory },
    }).catch(async (cause: unknown) => {
      await groups.remove(controlGroup);
      throw cause;
    });
    return { ...started, controlGroup };
  }

  #machine({ qmp, ...process }: StartedInGroup, directory: string, template: TemplateFiles | undefined): QemuMachine {
    return new QemuMachine({ ...process, directory, template }, qmp, this.#tools);
  }
}
