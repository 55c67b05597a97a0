import { join } from "node:path";
import type { TemplateFiles } from "../engine/engine.ts";
import { wakeGuest } from "../guest-link/wake-guest.ts";
import { rm } from "node:fs/promises";
import type { HookSettings } from "../model/hooks.ts";
import { Cleanup } from "../util/cleanup.ts";
import { endOf, type BootTools } from "./cold-boot.ts";
import { passHook } from "./pass-hook.ts";
import { followOutput } from "./follow-output.ts";

export interface ValidationRequest {
  readonly template: TemplateFiles;
  readonly rootfs: string;
  readonly hooks: HookSettings;
  /** The app's output up to here is in the log already. */
  readonly outputOffset: number;
}

/**
 * Calls /validate on a throw-away microVM of the new snapshot, with a slot and a disk of its own (contract 3.4). Leaves no
 * process, no slot and no file, however it ends.
 */
export async function validateSnapshot(tools: BootTools, request: ValidationRequest): Promise<void> {
  const { template, rootfs, hooks, outputOffset } = request;
  const directory = join(template.directory, "validate");
  const cleanup = new Cleanup();
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  try {
    const slot = await tools.acquireSlot();
    cleanup.add(() => slot.release());
    const machine = await tools.engine.restore({ directory, template, rootfs, network: slot.network });
    cleanup.add(() => machine.kill());
    const signal = AbortSignal.any([tools.signal, endOf(machine)]);
    const link = tools.openLink(slot.guest);
    await wakeGuest(link);
    const output = followOutput({ link, log: tools.log, signal, fromOffset: outputOffset });
    cleanup.add(() => output.stop());
    await passHook({ link, log: tools.log, output, signal, hooks, hook: "validate" });
    await machine
      .noteWorkingSet()
      .catch((error: unknown) => tools.log.line(`no prefetch for this image: ${String(error)}`));
  } finally {
    for (const error of await cleanup.run()) tools.log.line(`left behind by the validation: ${String(error)}`);
  }
}
