import { createHash } from "node:crypto";
import { mkdir, open, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { AppError } from "../../errors/app-error.ts";
import { must } from "../../util/assert.ts";
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
  type MachineShape,
  type NetworkAttachment,
  type Priority,
  type RestoreSpec,
  type TemplateFiles,
} from "../engine.ts";
import { openControlGroups, type ControlGroups } from "../control-groups.ts";
import { damagedFile, SealedFiles } from "../sealed-files.ts";
import { DifferenceThread } from "../memory/difference-thread.ts";
import { chooseAcceleration, type Acceleration } from "./acceleration.ts";
import {
  commandLine,
  fillIn,
  PLACEHOLDERS,
  QMP_SOCKET,
  type CommandLineValues,
  type GuestFiles,
} from "./command-line.ts";
import { jailArguments, makeJailRoot, readOnlyMemory, type JailFiles } from "./jail.ts";
import { checkDeviceState } from "./device-state.ts";
import { EngineShelf, type UsableEngine } from "./engine-shelf.ts";
import { DEVICE_STATE_URI, type FilesToInherit } from "./inherited-files.ts";
import { kernelArguments } from "./kernel-arguments.ts";
import { guestBytesOf, readMachine } from "./machine-reading.ts";
import { INITRAMFS, KERNEL, type EngineDescription } from "./kept-engine.ts";
import { findProgram, monitorParts } from "./monitor-parts.ts";
import { probeBoot } from "./probe-boot.ts";
import { endProcess, processesWorkingIn, startTicksOf } from "./process-identity.ts";
import { QemuMachine, syncDirectory, type MachineTools } from "./qemu-machine.ts";
import { launchQemu, type StartedQemu } from "./qemu-process.ts";
import { QmpClient } from "./qmp-client.ts";
import { breakUpperSeal, checkUpper } from "./upper-seal.ts";

export interface QemuEngineOptions {
  readonly guest: GuestFiles;
  readonly acceleration: "auto" | Acceleration;
  readonly jail: JailFiles;
  /** Sums up sparse files; made by setup from native/. */
  readonly sparseSum: string;
  /** Where the engines of this home's snapshots are kept. */
  readonly engines: string;
}

/** 2: device state is sealed. */
const SNAPSHOT_FORMAT = 2;
const ATTACH_TIMEOUT_MS = 5_000;
const POLL_MS = 5;

/** The QEMU driver on this host: its acceleration is measured once, here. */
export async function openQemuEngine(options: QemuEngineOptions): Promise<Engine> {
  const { guest } = options;
  const program = await findProgram(process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64");
  const acceleration = await chooseAcceleration(options.acceleration, probeBoot(program, guest));
  const host = await describeHost(program, acceleration, guest);
  const shelf = await EngineShelf.open(options.engines, host);
  const groups = await openControlGroups();
  const capabilities: EngineCapabilities = {
    acceleration,
    fingerprint: shelf.current.fingerprint,
    hostFiles: host.parts.map(({ from }) => from),
    architecture: process.arch === "arm64" ? "ARM_64" : "X86_64",
    boundsMachines: groups.isAvailable,
  };
  await makeJailRoot(options.jail.root);
  const bootArguments = await kernelArguments(acceleration, guest);
  const sealed = new SealedFiles(options.sparseSum);
  return new QemuEngine({ shelf, jail: options.jail, groups, bootArguments, sealed }, capabilities);
}

async function describeHost(
  program: string,
  acceleration: Acceleration,
  guest: GuestFiles,
): Promise<EngineDescription> {
  const { stdout } = await runCommand(program, ["--version"]);
  const version = stdout.split("\n")[0] ?? "";
  const monitor = await monitorParts(program);
  return {
    acceleration,
    version,
    program: basename(program),
    cloneArguments: commandLine({ acceleration, memoryIs: "clone" }, PLACEHOLDERS),
    firmwarePlaces: monitor.places,
    snapshotFormat: SNAPSHOT_FORMAT,
    formerFingerprint: await formerFingerprint(version, acceleration, guest),
    parts: [...monitor.parts, { name: KERNEL, from: guest.kernel }, { name: INITRAMFS, from: guest.initramfs }],
  };
}

/** How templates that were made before engines were kept name the engine they fit. */
async function formerFingerprint(version: string, acceleration: Acceleration, guest: GuestFiles): Promise<string> {
  const { size } = await stat(guest.kernel);
  const blank: { -readonly [name in keyof CommandLineValues]: string } = {
    ...PLACEHOLDERS,
    memoryMiB: "0",
    vcpus: "0",
  };
  for (const name of ["directory", "memoryFile", "memoryOption", "tap", "mac"] as const) blank[name] = "";
  for (const name of ["kernel", "initramfs", "kernelArguments"] as const) blank[name] = "";
  const parts = [version, commandLine({ acceleration, memoryIs: "clone" }, blank), size, SNAPSHOT_FORMAT];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

function sealedPaths({ directory }: TemplateFiles, rootfs: string) {
  return [
    { name: "memory", path: join(directory, ENGINE_FILES.templateMemory), what: "The memory of the image" },
    { name: "upper", path: join(directory, ENGINE_FILES.templateUpper), what: "The disk of the image" },
    { name: "rootfs", path: rootfs, what: "The root file system of the image" },
  ] as const;
}

/** A monitor that does not run the guest after loading tells nobody when it has loaded. */
async function whenLoaded(qmp: QmpClient): Promise<void> {
  while ((await qmp.execute<{ status: string }>("query-status")).status === "inmigrate") await setTimeout(POLL_MS);
}

/** The programs that run machines, and what confines them. */
interface Monitors {
  readonly shelf: EngineShelf;
  readonly jail: JailFiles;
  readonly groups: ControlGroups;
  readonly sealed: SealedFiles;
  /** Kernel command line of a boot; a clone's kernel has read its own. */
  readonly bootArguments: string;
}

/** One machine to start. */
interface LaunchRequest {
  readonly engine: UsableEngine;
  readonly template: readonly string[];
  readonly directory: string;
  readonly shape: MachineShape;
  readonly memoryFile: string;
  readonly isClone: boolean;
  /** A clone that waits to be told to run. */
  readonly isPaused?: boolean;
  readonly network: NetworkAttachment;
  readonly workingSet?: string;
  readonly files: Omit<FilesToInherit, "directory">;
}

interface StartedInGroup extends StartedQemu {
  readonly controlGroup: string;
}

class QemuEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  readonly #monitors: Monitors;
  readonly #tools: MachineTools;

  constructor(monitors: Monitors, capabilities: EngineCapabilities) {
    this.#monitors = monitors;
    this.#tools = { differences: new DifferenceThread(), groups: monitors.groups, sealed: monitors.sealed };
    this.#tools.differences.warmUp();
    this.capabilities = capabilities;
  }

  async boot(spec: BootSpec): Promise<Machine> {
    const engine = this.#monitors.shelf.current;
    const { acceleration } = engine;
    const started = await this.#launch({
      ...spec,
      engine,
      template: commandLine({ acceleration, memoryIs: "template" }, PLACEHOLDERS),
      memoryFile: join(spec.directory, ENGINE_FILES.templateMemory),
      isClone: false,
      files: { upper: spec.upper, rootfs: spec.rootfs },
    });
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
    await syncDirectory(dirname(directory));
    return { directory, shape, fingerprint: this.capabilities.fingerprint };
  }

  async restore(spec: RestoreSpec): Promise<Machine> {
    await mkdir(spec.directory, { recursive: true, mode: 0o700 });
    return this.#startClone(spec, join(spec.template.directory, ENGINE_FILES.templateDevices), undefined);
  }

  resume(spec: RestoreSpec): Promise<Machine> {
    const { devices, changedPages } = ENGINE_FILES;
    return this.#startClone(spec, join(spec.directory, devices), join(spec.directory, changedPages));
  }

  async attach(handle: MachineHandle): Promise<AttachedMachine | undefined> {
    if ((await startTicksOf(handle.pid)) !== handle.startTicks) {
      if (handle.controlGroup !== undefined) await this.#monitors.groups.remove(handle.controlGroup);
      return undefined;
    }
    const qmp = await QmpClient.open(join(handle.directory, QMP_SOCKET), { timeoutMs: ATTACH_TIMEOUT_MS });
    const { status } = await qmp.execute<{ status: string }>("query-status");
    const machine = new QemuMachine(handle, qmp, this.#tools);
    if (status === "io-error") machine.noteStall();
    const runs = status === "running" || status === "io-error";
    return { machine, state: runs ? "running" : status === "inmigrate" ? "incoming" : "paused" };
  }

  read(handle: MachineHandle): MachineReading | undefined {
    return readMachine(handle);
  }

  async prefer({ controlGroup, pid }: MachineHandle, priority: Priority): Promise<void> {
    if (controlGroup !== undefined) await this.#monitors.groups.prefer(controlGroup, pid, priority);
  }

  guestBytes(handle: MachineHandle): Promise<number> {
    return guestBytesOf(handle);
  }

  async killStrays(directory: string, keep: ReadonlySet<number>): Promise<void> {
    for (const pid of await processesWorkingIn(directory)) {
      if (keep.has(pid)) continue;
      const group = await this.#monitors.groups.nameOf(pid);
      await endProcess(pid);
      if (group !== undefined) await this.#monitors.groups.remove(group);
    }
  }

  removeEmptyGroups(prefix: string): Promise<void> {
    return this.#monitors.groups.removeEmpty(prefix);
  }

  async canLoad({ fingerprint }: TemplateFiles): Promise<boolean> {
    return (await this.#monitors.shelf.find(fingerprint)) !== undefined;
  }

  async seal(template: TemplateFiles, rootfs: string): Promise<TemplateFiles> {
    const { sealed } = this.#monitors;
    const [memory, upper, root] = await Promise.all(sealedPaths(template, rootfs).map(({ path }) => sealed.seal(path)));
    const seals = { memory: must(memory, "a seal"), upper: must(upper, "a seal"), rootfs: must(root, "a seal") };
    return { ...template, seals };
  }

  async damagedFiles(template: TemplateFiles, rootfs: string, { fromDisk } = { fromDisk: false }): Promise<string[]> {
    const { sealed } = this.#monitors;
    const devices = join(template.directory, ENGINE_FILES.templateDevices);
    const damaged = await checkDeviceState(devices).then(
      (): string[] => [],
      () => [devices],
    );
    // One after the other: reading them whole is for when nobody waits.
    for (const { name, path } of sealedPaths(template, rootfs)) {
      const seal = template.seals?.[name];
      if (seal === undefined) continue;
      if (!(await (fromDisk ? sealed.verify(path, seal) : sealed.isWhole(path, seal)))) damaged.push(path);
    }
    return damaged;
  }

  keepOnly(fingerprints: ReadonlySet<string>): Promise<void> {
    return this.#monitors.shelf.removeAllBut(fingerprints);
  }

  async #startClone(spec: RestoreSpec, deviceState: string, difference: string | undefined): Promise<Machine> {
    const { template } = spec;
    const engine = await this.#monitors.shelf.find(template.fingerprint);
    if (engine === undefined) {
      throw new AppError("ERR_ENGINE_SNAPSHOT", {
        message: `The snapshot was made with another monitor or kernel (engine ${template.fingerprint}), which is not kept on this host or does not run here any more`,
      });
    }
    await checkDeviceState(deviceState);
    await this.#checkTemplate(template, spec.rootfs, difference === undefined);
    const upperChecked = difference === undefined ? undefined : checkUpper(spec.directory, this.#monitors.sealed);
    upperChecked?.catch(() => {}); // awaited below, beside the monitor's start
    const memoryFile = join(template.directory, ENGINE_FILES.templateMemory);
    const started = await this.#launch({
      ...spec,
      engine,
      template: engine.cloneArguments,
      shape: template.shape,
      memoryFile,
      isClone: true,
      workingSet: join(difference === undefined ? template.directory : spec.directory, ENGINE_FILES.workingSet),
      files: {
        upper: join(spec.directory, ENGINE_FILES.upper),
        ...(difference === undefined && { upperFrom: join(template.directory, ENGINE_FILES.templateUpper) }),
        rootfs: spec.rootfs,
        deviceState,
      },
    });
    const machine = this.#machine(started, spec.directory, template);
    try {
      await spec.onStarted?.(machine.handle);
      // Devices check their queues in guest memory when they load, so the memory comes first.
      if (difference !== undefined) {
        await this.#tools.differences.run({ work: "load", pid: started.pid, base: memoryFile, file: difference });
      }
      await upperChecked;
      await breakUpperSeal(spec.directory);
      const resumed = spec.isPaused ? whenLoaded(started.qmp) : started.qmp.nextEvent("RESUME");
      await Promise.all([started.qmp.execute("migrate-incoming", { uri: DEVICE_STATE_URI }), resumed]);
      return machine;
    } catch (cause) {
      await machine.kill();
      throw cause;
    }
  }

  /** What is going to be read; the upper disk only where it is copied. */
  async #checkTemplate(template: TemplateFiles, rootfs: string, isNew: boolean): Promise<void> {
    const { sealed } = this.#monitors;
    const wanted = sealedPaths(template, rootfs).filter(({ name }) => isNew || name !== "upper");
    await Promise.all(
      wanted.map(async ({ name, path, what }) => {
        const seal = template.seals?.[name];
        if (seal !== undefined && !(await sealed.isWhole(path, seal))) throw damagedFile(path, what);
      }),
    );
  }

  async #launch(request: LaunchRequest): Promise<StartedInGroup> {
    const { jail, groups } = this.#monitors;
    const { engine, directory, memoryFile, network, workingSet } = request;
    const memory = request.isClone
      ? readOnlyMemory(engine.version, { files: jail, memoryFile })
      : { option: "", environment: {} };
    const controlGroup = network.namespace;
    const joined = await groups.make(controlGroup, request.shape);
    const started = await launchQemu({
      launcher: jail.launcher,
      groups: joined,
      prefetch: workingSet === undefined ? [] : [memoryFile, workingSet],
      program: engine.program,
      args: [
        ...engine.ownArguments,
        ...fillIn(request.template, this.#values(request, memory.option)),
        ...jailArguments(engine.version, { root: jail.root, userId: network.userId }),
        ...(request.isPaused ? ["-S"] : []),
      ],
      environment: { ...engine.environment, ...memory.environment },
      directory,
      namespace: network.namespace,
      files: { ...request.files, directory },
    }).catch(async (cause: unknown) => {
      await groups.remove(controlGroup);
      throw cause;
    });
    return { ...started, controlGroup };
  }

  #values({ engine, shape, directory, memoryFile, network }: LaunchRequest, memoryOption: string): CommandLineValues {
    return {
      directory,
      memoryMiB: String(shape.memoryMiB),
      vcpus: String(shape.vcpus),
      memoryFile,
      memoryOption,
      tap: network.tap,
      mac: network.mac,
      kernel: engine.kernel,
      initramfs: engine.initramfs,
      kernelArguments: this.#monitors.bootArguments,
    };
  }

  #machine({ qmp, ...process }: StartedInGroup, directory: string, template: TemplateFiles | undefined): QemuMachine {
    return new QemuMachine({ ...process, directory, template }, qmp, this.#tools);
  }
}
