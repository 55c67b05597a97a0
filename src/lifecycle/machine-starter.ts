import { join } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { makeCloneDirectory } from "../engine/clone-directory.ts";
import type { Machine, RestoreSpec } from "../engine/engine.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { HookSettings } from "../model/hooks.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import { loadTemplate, type LifeContext, type StoredMachine } from "./life-context.ts";

export interface RunningMachine {
  readonly machine: Machine;
  readonly slot: SlotLease;
  readonly link: GuestLink;
  /** Of the image it was made from. */
  readonly hooks: HookSettings | undefined;
}

export interface StartRequest {
  readonly microvmId: string;
  readonly buildId: string;
  /** A new clone of the template, or the sleeper in the microVM's directory. */
  readonly from: "template" | "sleeper";
  /** Awaited before the guest runs. */
  readonly onStarted: (machine: StoredMachine) => Promise<void>;
}

/** Starts a machine; its guest runs on from the snapshot but has not been woken. Throws and leaves no process and no slot. */
export async function startMachine(context: LifeContext, request: StartRequest): Promise<RunningMachine> {
  const directory = join(context.microvmsDirectory, request.microvmId);
  const image = await loadTemplate(context, request.buildId);
  if (image === undefined)
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "The image version this microVM was run from is gone" });
  const isClone = request.from === "template";
  const [slot, made] = await Promise.allSettled([
    context.slots.acquire(),
    isClone ? makeCloneDirectory(directory, image.template) : undefined,
  ]);
  if (slot.status === "rejected") throw slot.reason;
  try {
    if (made.status === "rejected") throw made.reason;
    const spec: RestoreSpec = {
      directory,
      template: image.template,
      rootfs: image.rootfs,
      network: slot.value.network,
      onStarted: (handle) => request.onStarted({ slot: slot.value.number, handle }),
    };
    const machine = await (isClone ? context.engine.restore(spec) : context.engine.resume(spec));
    return { machine, slot: slot.value, link: context.openLink(slot.value.guest), hooks: image.hooks };
  } catch (cause) {
    await slot.value.release();
    throw cause;
  }
}
