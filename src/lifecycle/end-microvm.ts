import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { APP_LOG, type LifeBody } from "./life-body.ts";
import { callLifeHook } from "./life-hooks.ts";

export interface Ending {
  /** The `stateReason` to keep, unless somebody wanted the end before. */
  readonly reason: string;
  /** Whether the app runs and may be called a last time. */
  readonly tellApp: boolean;
}

/** Ends a microVM in whatever state it is; nothing but its log and its row stay. */
export async function endMicrovm(body: LifeBody, { reason: given, tellApp }: Ending): Promise<void> {
  const { record, context } = body;
  const reason = record.row.state_reason ?? body.wantedEnd ?? given;
  body.timers.stop();
  body.door.shut();
  await record.tryUpdate({ state: "TERMINATING", state_reason: reason });
  if (tellApp && body.running !== undefined) await callLifeHook(body, "terminate"); // whatever it says
  const { log_offset } = await body.stopOutput({ isFinal: true });
  await body.letGo();
  await removeAllBut(body.directory, APP_LOG).catch((cause: unknown) =>
    context.log.warn({ err: cause, microvmId: record.id }, "files of an ended microVM could not be removed"),
  );
  await record.tryUpdate({
    state: "TERMINATED",
    terminated_at: Date.now(),
    machine_json: null,
    image_json: null,
    log_offset,
  });
  context.log.info({ microvmId: record.id, reason }, "microVM ended");
}

async function removeAllBut(directory: string, kept: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  await Promise.all(
    names
      .filter((name) => !name.startsWith(kept))
      .map((name) => rm(join(directory, name), { recursive: true, force: true })),
  );
}
