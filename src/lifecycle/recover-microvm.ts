import { rm } from "node:fs/promises";
import type { AttachedMachine } from "../engine/engine.ts";
import { wakeGuest } from "../guest-link/wake-guest.ts";
import { must } from "../util/assert.ts";
import { becomeRunning, finishWaking, startFromTemplate, wakeSleeper } from "./bring-up.ts";
import { isEgressChangeable } from "./connector-egress.ts";
import { endMicrovm } from "./end-microvm.ts";
import { passSuspendHook, saveToDisk } from "./fall-asleep.ts";
import type { LifeBody } from "./life-body.ts";
import { imageOf, type StoredMachine } from "./life-context.ts";
import { viewOf } from "./microvm-view.ts";
import { ofImage } from "./machine-starter.ts";
import { saveAgain } from "./save-again.ts";
import { hasDiskMovedOn, savedAt } from "./sleeper-files.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** Attempts to reach a monitor that lives: a busy host must not cost a microVM. */
const ATTACH_ATTEMPTS = 3;

/** After a server restart: takes the machine over again and finishes what was interrupted. */
export async function recoverMicrovm(body: LifeBody): Promise<void> {
  const { record, context } = body;
  const hadMachine = record.row.machine_json !== null;
  const found = await reattach(body);
  switch (record.state) {
    case "PENDING":
    case "SUSPENDED":
      return recoverWaking(body, { found, hadMachine });
    case "SUSPENDING":
      return recoverSuspending(body, found);
    case "RUNNING":
      return recoverRunning(body, found);
    case "TERMINATING": {
      const reason = record.row.state_reason ?? STATE_REASONS.terminated;
      const isOrderly = reason === STATE_REASONS.terminated || reason === STATE_REASONS.lifetime;
      return endMicrovm(body, { reason, tellApp: isOrderly && found === "running" });
    }
    case "TERMINATED":
      context.log.warn({ microvmId: record.id }, "an ended microVM was to be recovered");
  }
}

/** A start, a wake or a sleep. A process that only dozes is let go: waking from disk costs little. */
async function recoverWaking(
  body: LifeBody,
  { found, hadMachine }: { found: Found; hadMachine: boolean },
): Promise<void> {
  const { record } = body;
  const since = record.row.suspended_at;
  if (since === null) {
    // No traffic has reached it; whether /run has is not known, so a fresh clone is told once.
    await body.letGo();
    await rm(body.directory, { recursive: true, force: true });
    return startFromTemplate(body);
  }
  if (found === "running") {
    record.assume({ state: "PENDING" });
    return finishWaking(body);
  }
  // Its guest ran on before its machine ended, or was stopped to be saved anew.
  if (
    hadMachine &&
    (await hasDiskMovedOn(body.directory)) &&
    !(await saveAgain(body, "a wake that was broken off could not be saved"))
  )
    return endMicrovm(body, { reason: STATE_REASONS.lost, tellApp: false });
  await body.letGo();
  if (record.state === "PENDING") return wakeSleeper(body);
  body.timers.sleep(since, record.row.parked === 1);
}

async function recoverSuspending(body: LifeBody, found: Found): Promise<void> {
  const { record } = body;
  if (found === undefined) {
    if (!(await hasSleeper(body))) return endMicrovm(body, { reason: STATE_REASONS.lost, tellApp: false });
    const now = Date.now();
    await record.update({ state: "SUSPENDED", suspended_at: now });
    return body.timers.sleep(now, record.row.parked === 1);
  }
  // Once it is paused the hook has passed; before, it may be told a second time.
  if (found === "paused" || (await passSuspendHook(body))) await saveToDisk(body);
}

async function recoverRunning(body: LifeBody, found: Found): Promise<void> {
  if (found === undefined) return endMicrovm(body, { reason: STATE_REASONS.lost, tellApp: false });
  const running = must(body.running, "the attached machine");
  if (found === "paused") {
    await running.machine.unpause();
    await wakeGuest(running.link);
  }
  await becomeRunning(body, running);
}

/**
 * Whether everything was saved before the crash. Files of an earlier sleep, whose removal a power failure undid, are
 * older than the wake that followed it.
 */
async function hasSleeper({ directory, record }: LifeBody): Promise<boolean> {
  return (await savedAt(directory)) > record.row.last_activity_at && !(await hasDiskMovedOn(directory));
}

type Found = "running" | "paused" | undefined;

/** The body holds the machine unless it is gone, or was started without its guest ever running. */
async function reattach(body: LifeBody): Promise<Found> {
  const { record, context } = body;
  if (record.row.machine_json === null) return undefined;
  const { slot: number, handle } = JSON.parse(record.row.machine_json) as StoredMachine;
  const slot = context.slots.adopt(number);
  const attached = await attachPatiently(body, handle);
  if (slot !== undefined && attached !== undefined && attached.state !== "incoming") {
    const connectors = viewOf(record.row).egressNetworkConnectors;
    if (isEgressChangeable(connectors)) await slot.setEgress(await context.egressOf(connectors)); // since the crash
    body.hold({ machine: attached.machine, slot, link: context.openLink(slot.guest), ...ofImage(imageOf(record.row)) });
    return attached.state;
  }
  await context.engine.killStrays(body.directory, new Set());
  await slot?.release();
  await record.update({ machine_json: null });
  return undefined;
}

async function attachPatiently(
  { context, record }: LifeBody,
  handle: StoredMachine["handle"],
): Promise<AttachedMachine | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await context.engine.attach(handle);
    } catch (cause) {
      context.log.warn({ err: cause, microvmId: record.id, attempt }, "a machine could not be attached");
      if (attempt === ATTACH_ATTEMPTS) return undefined;
    }
  }
}
