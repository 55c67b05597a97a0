import { constants } from "node:fs";
import { open, rename, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors/app-error.ts";
import { ENGINE_FILES, type Machine, type MachineHandle, type SuspendResult } from "../engine.ts";
import type { ControlGroups } from "../control-groups.ts";
import type { DifferenceThread } from "../memory/difference-thread.ts";
import { DiskStall } from "./disk-stall.ts";
import type { SealedFiles } from "../sealed-files.ts";
import { readSavedState, sealDeviceState } from "./device-state.ts";
import { INHERITED, SCRATCH_FILE } from "./inherited-files.ts";
import { endProcess, startTicksOf } from "./process-identity.ts";
import type { QmpClient } from "./qmp-client.ts";
import { breakUpperSeal, sealUpper } from "./upper-seal.ts";

/** What all machines of an engine share. */
export interface MachineTools {
  readonly differences: DifferenceThread;
  readonly groups: ControlGroups;
  readonly sealed: SealedFiles;
}

export class QemuMachine implements Machine {
  readonly exited: Promise<void>;
  readonly #qmp: QmpClient;
  readonly #differences: DifferenceThread;
  readonly #groups: ControlGroups;
  readonly #stall: DiskStall;
  readonly #sealed: SealedFiles;
  #handle: MachineHandle;
  #sealing: Promise<void> = Promise.resolve();

  constructor(handle: MachineHandle, qmp: QmpClient, { differences, groups, sealed }: MachineTools) {
    this.#handle = handle;
    this.#qmp = qmp;
    this.#differences = differences;
    this.#groups = groups;
    this.#sealed = sealed;
    this.exited = qmp.closed;
    this.#stall = new DiskStall(qmp);
  }

  get handle(): MachineHandle {
    return this.#handle;
  }

  isStalled(): Promise<boolean> {
    return this.#stall.isStalled();
  }

  onDiskFull(listener: () => void): void {
    this.#stall.onStall(listener);
  }

  /** For a machine that was found standing still, of which nobody was told. */
  noteStall(): void {
    this.#stall.noticed();
  }

  async pause(): Promise<void> {
    this.#stall.hold();
    await this.#qmp.execute("stop");
  }

  async unpause(): Promise<void> {
    this.#stall.release();
    await this.#sealing;
    await breakUpperSeal(this.#handle.directory);
    await this.#qmp.execute("cont");
  }

  async suspend(): Promise<SuspendResult> {
    const { directory, template, pid } = this.handle;
    if (template === undefined)
      throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "Only a clone of a template can be suspended" });
    await this.pause();
    const devices = join(directory, ENGINE_FILES.devices);
    const pages = join(directory, ENGINE_FILES.changedPages);
    // Both end before anybody hears of a fault: who removes what a failed one left must not come too early.
    const [difference, saved] = await Promise.allSettled([
      this.#differences.run({
        work: "save",
        pid,
        base: join(template.directory, ENGINE_FILES.templateMemory),
        file: `${pages}.new`,
        workingSet: join(directory, ENGINE_FILES.workingSet),
        alsoSync: join(directory, ENGINE_FILES.upper),
      }),
      this.saveDevices(`${devices}.new`),
    ]);
    if (difference.status === "rejected") throw difference.reason;
    if (saved.status === "rejected") throw saved.reason;
    await this.#qmp.execute("query-status"); // a process that is killed loses pages before it is gone
    await rename(`${pages}.new`, pages);
    await rename(`${devices}.new`, devices);
    await syncDirectory(directory);
    // Nobody waits for it: the disk stays as it is until the guest runs on, which waits for it.
    this.#sealing = sealUpper(directory, this.#sealed).catch(() => {});
    return { changedBytes: difference.value };
  }

  /** Everything but memory: processor, virtual devices, clock. Works on a stopped machine and leaves it stopped. */
  async saveDevices(file: string): Promise<void> {
    const scratch = await open(join(this.#handle.directory, SCRATCH_FILE), constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      // Each save goes on where the last one ended: they share one descriptor.
      const { size: start } = await scratch.stat();
      await this.#qmp.execute("xen-save-devices-state", { filename: INHERITED.scratch, live: false });
      const { size: end } = await scratch.stat();
      await writeNewFile(file, sealDeviceState(await readSavedState(scratch, start)));
      await emptyOut(scratch, end);
    } finally {
      await scratch.close();
    }
  }

  async moveTo(directory: string): Promise<void> {
    // The process works inside it and has its files open: both follow the rename.
    await rename(this.#handle.directory, directory);
    this.#handle = { ...this.#handle, directory };
  }

  async noteWorkingSet(): Promise<void> {
    const { template, pid } = this.handle;
    if (template === undefined) return;
    const workingSet = join(template.directory, ENGINE_FILES.workingSet);
    const base = join(template.directory, ENGINE_FILES.templateMemory);
    await this.#differences.run({ work: "note", pid, base, file: "", workingSet });
  }

  async kill(): Promise<void> {
    const { pid, startTicks, controlGroup } = this.handle;
    // The monitor's socket closes a moment before the process is gone.
    if ((await startTicksOf(pid)) === startTicks) await endProcess(pid);
    await this.exited;
    await this.#sealing; // another machine may be started on the same disk
    if (controlGroup !== undefined) await this.#groups.remove(controlGroup);
  }
}

/** The same length, but nothing on disk. */
async function emptyOut(file: FileHandle, bytes: number): Promise<void> {
  await file.truncate(0);
  await file.truncate(bytes);
}

async function writeNewFile(path: string, content: Buffer): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Makes renames in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  await handle.sync().finally(() => handle.close());
}
