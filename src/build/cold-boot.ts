import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Engine, Machine, MachineShape, NetworkAttachment, TemplateFiles } from "../engine/engine.ts";
import { ENGINE_FILES } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import type { GuestAddress, GuestLink } from "../guest-link/guest-link.ts";
import type { ContainerConfig } from "../model/container.ts";
import type { SizeTier } from "../model/sizes.ts";
import { Cleanup } from "../util/cleanup.ts";
import type { BuildLog } from "./build-log.ts";
import { LineSplitter } from "./line-splitter.ts";
import { APP_PREFIX, waitUntilReady } from "./wait-until-ready.ts";

const BOOT_LIMIT_MS = 120_000;

export interface BootTools {
  readonly engine: Engine;
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
}

/** Phases 6 and 7: cold boot, start of the app, readiness, snapshot. Leaves no process and no slot, however it ends. */
export async function bootAndSnapshot(tools: BootTools, request: BootRequest): Promise<TemplateFiles> {
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
    const output = followOutput(link, log, signal);
    cleanup.add(() => output.stop());
    await startContainer(link, request.container);
    await waitUntilReady({
      link,
      log,
      outputEnded: output.ended,
      exposed: request.container.exposedTcpPorts,
      limitMs: tools.readyLimitMs,
      signal,
    });
    await link.settle();
    await output.stop();
    return await engine.snapshot(machine, request.directory, shape);
  } finally {
    await cleanup.run();
  }
}

/** Nothing waits for a machine that is gone: the build ends at once instead of at its limit. */
function endOf(machine: Machine): AbortSignal {
  const ended = new AbortController();
  const reason = new AppError("ERR_ENGINE_LOST", { message: "The virtual machine ended during the build" });
  void machine.exited.then(() => ended.abort(reason));
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

/** The app's output during the build, line by line into the build log. */
function followOutput(
  link: GuestLink,
  log: BuildLog,
  signal: AbortSignal,
): { readonly ended: Promise<void>; stop(): Promise<void> } {
  const stopping = new AbortController();
  const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  const finished = (async () => {
    for await (const event of link.events(0, AbortSignal.any([signal, stopping.signal]))) {
      if (event.kind === "exited") return;
      if (event.kind === "dropped") log.line(`${APP_PREFIX}(${event.bytes} bytes were printed too fast to be kept)`);
      if (event.kind !== "output") continue;
      for (const line of splitters[event.stream].push(event.bytes)) log.line(`${APP_PREFIX}${line}`);
    }
  })()
    .catch(() => {}) // the stream ends with the machine
    .finally(() => {
      for (const line of [...splitters.stdout.end(), ...splitters.stderr.end()]) log.line(`${APP_PREFIX}${line}`);
    });
  return {
    ended: finished,
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
