import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Engine, Machine, MachineShape, NetworkAttachment, TemplateFiles } from "../engine/engine.ts";
import { ENGINE_FILES } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import type { GuestAddress, GuestLink } from "../guest-link/guest-link.ts";
import type { ContainerConfig } from "../model/container.ts";
import type { HookSettings } from "../model/hooks.ts";
import type { SizeTier } from "../model/sizes.ts";
import { Cleanup } from "../util/cleanup.ts";
import type { BuildLog } from "./build-log.ts";
import { followOutput, type AppOutput } from "./follow-output.ts";
import { passHook } from "./pass-hook.ts";
import { waitUntilReady } from "./wait-until-ready.ts";

const BOOT_LIMIT_MS = 120_000;

export interface BootTools {
  readonly engine: Engine;
  /** A slot with the image's own egress. */
  readonly acquireSlot: () => Promise<{ network: NetworkAttachment; guest: GuestAddress; release(): Promise<void> }>;
  readonly openLink: (address: GuestAddress) => GuestLink;
  readonly log: BuildLog;
  readonly readyLimitMs: number;
  readonly signal: AbortSignal;
}

export interface BootRequest {
  /** Holds disk.upper; gets the template's other files. */
  readonly directory: string;
  readonly rootfs: string;
  readonly container: ContainerConfig;
  readonly tier: SizeTier;
  readonly hooks: HookSettings | undefined;
}

export interface Snapshot {
  readonly template: TemplateFiles;
  /** The app does nothing until its guest is woken. */
  readonly isFrozen: boolean;
  /** Bytes of the app's output that its snapshot holds. */
  readonly outputOffset: number;
}

/** Phases 6 and 7: cold boot, start of the app, readiness, snapshot. Leaves no process and no slot, however it ends. */
export async function bootAndSnapshot(tools: BootTools, request: BootRequest): Promise<Snapshot> {
  const { engine, log } = tools;
  const shape: MachineShape = {
    memoryMiB: request.tier.peakMiB,
    vcpus: Math.max(1, Math.min(request.tier.peakVcpus, availableParallelism())),
  };
  const cleanup = new Cleanup();
  try {
    const slot = await tools.acquireSlot();
    cleanup.add(() => slot.release());
    const machine = await engine.boot({
      directory: request.directory,
      shape,
      rootfs: request.rootfs,
      upper: join(request.directory, ENGINE_FILES.upper),
      network: slot.network,
    });
    cleanup.add(() => machine.kill());
    const signal = AbortSignal.any([tools.signal, endOf(machine)]);
    const link = tools.openLink(slot.guest);
    await link.waitUntilUp(AbortSignal.any([signal, AbortSignal.timeout(BOOT_LIMIT_MS)]));
    log.line(`the machine is up: ${shape.memoryMiB} MiB, ${shape.vcpus} vCPU`);
    const output = followOutput({ link, log, signal, fromOffset: 0 });
    cleanup.add(() => output.stop());
    await startContainer(link, request.container);
    await becomeReady({ ...tools, signal }, request, { link, output });
    const { isFrozen } = await link.settle();
    await output.stop();
    const snapshot = await engine.snapshot(machine, request.directory, shape);
    const template = await engine.seal(snapshot, request.rootfs);
    return { template, isFrozen, outputOffset: output.offset };
  } finally {
    await cleanup.run();
  }
}

/** The app's own word by its ready hook; without one, what can be seen from outside. */
async function becomeReady(
  { log, signal, readyLimitMs }: BootTools,
  { hooks, container }: BootRequest,
  { link, output }: { link: GuestLink; output: AppOutput },
): Promise<void> {
  if (hooks?.ready !== undefined) return passHook({ link, log, output, signal, hooks, hook: "ready" });
  await waitUntilReady({
    link,
    log,
    outputEnded: output.ended,
    exposed: container.exposedTcpPorts,
    limitMs: readyLimitMs,
    signal,
  });
}

/** Nothing waits for a machine that is gone, or stands still: the build ends at once instead of at its limit. */
export function endOf(machine: Machine): AbortSignal {
  const ended = new AbortController();
  const reason = new AppError("ERR_ENGINE_LOST", { message: "The virtual machine ended during the build" });
  void machine.exited.then(() => ended.abort(reason));
  machine.onDiskFull(() => ended.abort(new AppError("ERR_DISK_FULL")));
  return ended.signal;
}

async function startContainer(link: GuestLink, container: ContainerConfig): Promise<void> {
  try {
    await link.start(container);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== "ERR_GUEST_REFUSED") throw cause;
    throw new BuildFailure("CONTAINER_BUILD_FAILED", `Failed to start container: ${cause.message}`, { cause });
  }
}
