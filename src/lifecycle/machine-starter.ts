import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { ENGINE_FILES, type Machine, type RestoreSpec } from "../engine/engine.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import { runCommand } from "../util/run-command.ts";
import { loadTemplate, type LifeContext, type StoredMachine } from "./life-context.ts";

/** Randomness handed to a woken guest's kernel. */
const ENTROPY_BYTES = 64;

export interface RunningMachine {
  readonly machine: Machine;
  readonly slot: SlotLease;
  readonly link: GuestLink;
}

export interface StartRequest {
  readonly microvmId: string;
  readonly buildId: string;
  /** A new clone of the template, or the sleeper in the microVM's directory. */
  readonly from: "template" | "sleeper";
}

/** Starts a machine and hands it over awake: clock right, randomness fresh; or leaves nothing behind and throws. */
export async function startMachine(context: LifeContext, request: StartRequest): Promise<RunningMachine> {
  const directory = join(context.microvmsDirectory, request.microvmId);
  const image = await loadTemplate(context, request.buildId);
  if (image === undefined)
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "The image version this microVM was run from is gone" });
  const [slot] = await Promise.all([
    context.slots.acquire(),
    request.from === "template" ? makeDirectory(directory, image.template.directory) : undefined,
  ]);
  let machine: Machine | undefined;
  try {
    const spec: RestoreSpec = {
      directory,
      template: image.template,
      rootfs: image.rootfs,
      network: slot.network,
      onStarted: (handle) => recordMachine(context, request.microvmId, { slot: slot.number, handle }),
    };
    machine = await (request.from === "template" ? context.engine.restore(spec) : context.engine.resume(spec));
    const link = context.openLink(slot.guest);
    await wakeGuest(link);
    return { machine, slot, link };
  } catch (cause) {
    await machine?.kill();
    await slot.release();
    await recordMachine(context, request.microvmId, undefined);
    throw cause;
  }
}

export async function wakeGuest(link: GuestLink): Promise<void> {
  await link.wake({ wallClock: new Date(), entropy: randomBytes(ENTROPY_BYTES) });
}

export async function recordMachine(
  context: LifeContext,
  microvmId: string,
  machine: StoredMachine | undefined,
): Promise<void> {
  await context.store.update(microvmId, { machine_json: machine === undefined ? null : JSON.stringify(machine) });
}

async function makeDirectory(directory: string, template: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const from = join(template, ENGINE_FILES.templateUpper);
  await runCommand("cp", ["--reflink=auto", "--sparse=always", from, join(directory, ENGINE_FILES.upper)]);
}
