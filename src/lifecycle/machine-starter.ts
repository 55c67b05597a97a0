import { join } from "node:path";
import type { Machine, RestoreSpec } from "../engine/engine.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { BuiltImage } from "../build/image-builder.ts";
import type { HookSettings } from "../model/hooks.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import type { PreparedMachine } from "./prepared-machines.ts";
import type { LifeContext, StoredMachine } from "./life-context.ts";

export interface RunningMachine {
  readonly machine: Machine;
  readonly slot: SlotLease;
  readonly link: GuestLink;
  /** Of the image it was made from. */
  readonly hooks: HookSettings | undefined;
  /** Where the microVM's own output begins; what is before was the build's. */
  readonly outputOffset: number;
}

export interface StartRequest {
  readonly microvmId: string;
  readonly buildId: string;
  /** What it is started from, or was. */
  readonly image: BuiltImage;
  /** A new clone of the template, or the sleeper in the microVM's directory. */
  readonly from: "template" | "sleeper";
  /** Bound before the guest runs: its slot is another one at every start. */
  readonly egress: EgressPolicy;
  /** Awaited before the guest runs. */
  readonly onStarted: (machine: StoredMachine) => Promise<void>;
}

/** Starts a machine; its guest runs on from the snapshot but has not been woken. Throws and leaves no process and no slot. */
export async function startMachine(context: LifeContext, request: StartRequest): Promise<RunningMachine> {
  const directory = join(context.microvmsDirectory, request.microvmId);
  const isClone = request.from === "template";
  // A new microVM was admitted before it was recorded.
  const room = isClone ? undefined : await context.capacity?.admit();
  try {
    return await startAdmitted(context, request, directory);
  } finally {
    room?.release();
  }
}

async function startAdmitted(context: LifeContext, request: StartRequest, directory: string): Promise<RunningMachine> {
  const { image } = request;
  const isClone = request.from === "template";
  const prepared = isClone ? context.prepared?.take(request.buildId, image) : undefined;
  if (prepared !== undefined) {
    const started = await startPrepared(context, request, { prepared, directory });
    if (started !== undefined) return started;
  }
  const slot = await context.slots.acquire();
  try {
    await slot.setEgress(request.egress);
    const spec: RestoreSpec = {
      directory,
      template: image.template,
      rootfs: image.rootfs,
      network: slot.network,
      onStarted: (handle) => request.onStarted({ slot: slot.number, handle }),
    };
    const machine = await (isClone ? context.engine.restore(spec) : context.engine.resume(spec));
    return { machine, slot, link: context.openLink(slot.guest), ...ofImage(image) };
  } catch (cause) {
    await slot.release();
    throw cause;
  }
}

/** What a machine's life needs to know of its image. */
export function ofImage(image: BuiltImage | undefined): Pick<RunningMachine, "hooks" | "outputOffset"> {
  return { hooks: image?.hooks, outputOffset: image?.outputOffset ?? 0 };
}

/** None when it is unusable: it may have ended since it was made. */
async function startPrepared(
  context: LifeContext,
  request: StartRequest,
  { prepared, directory }: { prepared: PreparedMachine; directory: string },
): Promise<RunningMachine | undefined> {
  const { machine, slot } = prepared;
  try {
    await slot.setEgress(request.egress);
    await machine.moveTo(directory);
    await request.onStarted({ slot: slot.number, handle: machine.handle });
    await machine.unpause();
    return { machine, slot, link: context.openLink(slot.guest), ...ofImage(request.image) };
  } catch (err) {
    context.log.warn({ err, microvmId: request.microvmId }, "a prepared machine could not be used; another is started");
    await machine.kill();
    await slot.release();
    return undefined;
  }
}
