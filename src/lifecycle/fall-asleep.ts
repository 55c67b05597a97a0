import { discardDifference } from "../engine/engine-files.ts";
import { AppError } from "../errors/app-error.ts";
import { must } from "../util/assert.ts";
import { becomeRunning } from "./bring-up.ts";
import { endMicrovm } from "./end-microvm.ts";
import type { LifeBody } from "./life-body.ts";
import { callLifeHook } from "./life-hooks.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** How long requests that the app has may take before they are cut: connections do not outlast a sleep. */
const DRAIN_MS = 3_000;

/** RUNNING to SUSPENDED. A suspend that fails for the host's reasons leaves the microVM running. */
export async function fallAsleep(body: LifeBody, { isParking }: { isParking: boolean }): Promise<void> {
  const { record, running, context } = body;
  if (record.state !== "RUNNING" || running === undefined) return;
  // Its app can answer no hook, and there is no room to save it.
  if (await running.machine.isStalled()) return stayAwake(body);
  body.door.close();
  body.timers.idle.stop();
  try {
    await record.update({ state: "SUSPENDING", parked: isParking ? 1 : 0 });
  } catch (cause) {
    context.log.error({ err: cause, microvmId: record.id }, "suspend could not be recorded; the microVM goes on");
    body.timers.idle.start();
    return body.door.open();
  }
  await body.door.drained(DRAIN_MS);
  body.door.shut();
  if (await passSuspendHook(body)) await saveToDisk(body);
}

/** The app's last moment awake. False when the microVM ended because of it. */
export async function passSuspendHook(body: LifeBody): Promise<boolean> {
  const failure = await callLifeHook(body, "suspend");
  // A server that goes down must not cost anyone a microVM.
  if (failure === undefined || (body.record.row.parked === 1 && body.wantedEnd === undefined)) return true;
  if (body.wantedEnd === undefined && (await body.running?.machine.isStalled()) === true) {
    await goOn(body, new AppError("ERR_DISK_FULL"));
    return false;
  }
  await endMicrovm(body, { reason: failure, tellApp: body.wantedEnd !== undefined });
  return false;
}

/** SUSPENDING to SUSPENDED: what the machine changed is on disk before the record says so. */
export async function saveToDisk(body: LifeBody): Promise<void> {
  const { record, context } = body;
  const running = must(body.running, "a machine to save");
  const output = await body.stopOutput();
  const now = Date.now();
  try {
    const { changedBytes } = await running.machine.suspend();
    await record.update({ state: "SUSPENDED", suspended_at: now, ...output });
    context.log.info({ microvmId: record.id, changedBytes }, "microVM sleeps");
  } catch (cause) {
    record.assume(output);
    return goOn(body, cause);
  }
  body.timers.sleep(now, record.row.parked === 1);
  body.timers.doze(context.dozeMs);
}

function stayAwake({ record, timers, context }: LifeBody): void {
  context.log.error({ microvmId: record.id }, "the disk of this host is full: the microVM is not suspended");
  timers.idle.start();
}

async function goOn(body: LifeBody, cause: unknown): Promise<void> {
  const { record, context } = body;
  const running = must(body.running, "a machine to go on with");
  context.log.error(
    { err: cause, microvmId: record.id },
    "suspend failed, nothing is lost: the microVM runs on and is suspended again when it has been idle",
  );
  try {
    await running.machine.unpause();
  } catch (err) {
    context.log.error({ err, microvmId: record.id }, "the machine ended while it was being suspended");
    return endMicrovm(body, { reason: STATE_REASONS.lost, tellApp: false });
  }
  await discardDifference(body.directory).catch(() => {}); // half a difference would keep a full disk full
  // The app was told to get ready for a sleep that did not come.
  if (running.hooks?.suspend !== undefined) await callLifeHook(body, "resume");
  await becomeRunning(body, running);
}
