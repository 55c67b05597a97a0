import { AppError } from "../errors/app-error.ts";
import type { BuiltImage } from "../build/image-builder.ts";
import { discardDifference } from "../engine/engine-files.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { wakeGuest } from "../guest-link/wake-guest.ts";
import { must } from "../util/assert.ts";
import { endMicrovm } from "./end-microvm.ts";
import type { LifeBody } from "./life-body.ts";
import { callLifeHook } from "./life-hooks.ts";
import { imageOf } from "./life-context.ts";
import { saveAgain } from "./save-again.ts";
import { hasDiskMovedOn } from "./sleeper-files.ts";
import { startMachine, type RunningMachine, type StartRequest } from "./machine-starter.ts";
import { viewOf, withoutPayload } from "./microvm-view.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** The first start, from the image's template. Ends the microVM when it does not come about. */
export async function startFromTemplate(body: LifeBody): Promise<void> {
  try {
    // Before its turn comes: a snapshot that has to be made again takes seconds.
    using lease = await body.context.templates.lease(body.record.row.build_id, body.hurry);
    await startInTurn(body, { from: "template", image: lease.image });
    await greet(body, "run");
  } catch (cause) {
    body.context.log.error({ err: cause, microvmId: body.record.id }, "microVM did not start");
    const why = cause instanceof Error ? cause.message : String(cause);
    await endMicrovm(body, { reason: STATE_REASONS.startFailed(why), tellApp: false });
  }
}

/** Brings a sleeper back. Throws when it did not wake: it sleeps on and a later wake may succeed, or it has ended. */
export async function wakeSleeper(body: LifeBody): Promise<void> {
  // Recorded with its process, or not at all when it only dozes: a crash meanwhile finds a running machine of a sleeper.
  body.record.assume({ state: "PENDING" });
  body.timers.wake();
  const begun = body.running === undefined ? Date.now() : undefined;
  try {
    if (await wakeDozer(body)) await wakeGuest(must(body.running, "a dozing machine").link);
    else await startInTurn(body, { from: "sleeper", image: sleepersImage(body) });
    await greet(body, "resume");
  } catch (cause) {
    await sleepOn(body, cause, begun);
    throw cause;
  }
}

/** Goes on with a machine whose guest runs again but was not told so. */
export async function finishWaking(body: LifeBody): Promise<void> {
  try {
    await wakeGuest(must(body.running, "a machine to wake").link);
    await greet(body, "resume");
  } catch (cause) {
    await sleepOn(body, cause);
    throw cause;
  }
}

/** RUNNING on record, then open for traffic. What was saved is of the past from here on. */
export async function becomeRunning(body: LifeBody, running: RunningMachine): Promise<void> {
  const { record, context } = body;
  const change = {
    state: "RUNNING",
    suspended_at: null,
    parked: 0,
    last_activity_at: Date.now(),
    ...withoutPayload(record.row),
  } as const;
  const isFirst = record.state === "PENDING" && record.row.suspended_at === null;
  // A start that cannot be recorded fails. A wake that cannot be is found by its machine after a crash.
  const isRecorded = isFirst ? await record.update(change).then(() => true) : await record.tryUpdate(change);
  body.timers.wake();
  body.timers.idle.start();
  body.door.open();
  if (isRecorded)
    await discardDifference(body.directory).catch((cause: unknown) =>
      context.log.warn({ err: cause, microvmId: record.id }, "what was saved of a sleeper could not be removed"),
    );
  body.followOutput(running);
}

type Source = Pick<StartRequest, "from" | "image">;

/** A machine whose guest is awake. Starts that all go on at once would all take as long as the last of them. */
async function startInTurn(body: LifeBody, source: Source): Promise<void> {
  const start = async () => {
    if (source.from === "template" && body.wantedEnd !== undefined)
      throw new AppError("ERR_CANCELLED", { message: "It is to end before its turn to start has come" });
    const running = await startRecorded(body, source);
    body.hold(running);
    if (source.from === "template" && body.context.freshIdentity === true) await identify(body.record.id, running.link);
    await wakeGuest(running.link);
  };
  await (body.context.starts?.run(start) ?? start());
}

/** Both are the id that the API knows it by. */
function identify(microvmId: string, link: GuestLink): Promise<void> {
  return link.identify({ hostname: microvmId, machineId: microvmId.replace(/^microvm-/, "").replaceAll("-", "") });
}

async function startRecorded(body: LifeBody, source: Source): Promise<RunningMachine> {
  const { record, context } = body;
  return startMachine(context, {
    microvmId: record.id,
    buildId: record.row.build_id,
    ...source,
    egress: await context.egressOf(viewOf(record.row).egressNetworkConnectors),
    onStarted: (machine) =>
      record.update({
        state: "PENDING",
        machine_json: JSON.stringify(machine),
        // A sleeper has it on record.
        ...(source.from === "template" ? { image_json: JSON.stringify(source.image) } : {}),
      }),
  });
}

function sleepersImage({ record }: LifeBody): BuiltImage {
  const image = imageOf(record.row);
  if (image === undefined)
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "What this MicroVM was started from is not on record" });
  return image;
}

/** The guest has its clock and randomness; now the app's hook, and only then traffic. */
async function greet(body: LifeBody, hook: "run" | "resume"): Promise<void> {
  const running = must(body.running, "a machine to greet");
  const failure = await callLifeHook(body, hook);
  if (failure !== undefined) return endMicrovm(body, { reason: failure, tellApp: false });
  await becomeRunning(body, running);
}

/** Whether a dozing process is back. One that is gone or does not answer is given up: what it saved is on disk. */
async function wakeDozer(body: LifeBody): Promise<boolean> {
  const { running, record, context } = body;
  if (running === undefined) return false;
  try {
    await running.machine.unpause();
    return true;
  } catch (cause) {
    context.log.warn({ err: cause, microvmId: record.id }, "a dozing machine did not wake; it is started from disk");
    await body.letGo();
    if (await hasDiskMovedOn(body.directory))
      throw new AppError("ERR_ENGINE_LOST", { message: "The machine ended while it woke" });
    return false;
  }
}

/** After a wake that failed. `begun`: when it did (epoch milliseconds), of one that was no doze. */
async function sleepOn(body: LifeBody, cause: unknown, begun?: number): Promise<void> {
  const { record } = body;
  if (await isBeyondRepair(body, cause)) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return endMicrovm(body, { reason: STATE_REASONS.wakeFailed(why), tellApp: false });
  }
  const isSaved = await saveAgain(body, "a failed wake could not be saved");
  await body.letGo();
  if (!isSaved && (await hasDiskMovedOn(body.directory, begun)))
    return endMicrovm(body, { reason: STATE_REASONS.lost, tellApp: false });
  await record.tryUpdate({ state: "SUSPENDED", machine_json: null });
  body.timers.sleep(must(record.row.suspended_at, "a time of suspension"), record.row.parked === 1);
}

/** A damaged or missing snapshot stays so; one of an engine that is not here may fit again when that comes back. */
async function isBeyondRepair({ context, record }: LifeBody, cause: unknown): Promise<boolean> {
  if (!(cause instanceof AppError) || cause.code !== "ERR_ENGINE_SNAPSHOT") return false;
  const image = imageOf(record.row);
  return image === undefined || context.engine.canLoad(image.template);
}
