import { callRuntimeHook, type RunHookBody, type RuntimeHook } from "../hooks/runtime-hooks.ts";
import type { LifeBody } from "./life-body.ts";
import { viewOf } from "./microvm-view.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** Calls a hook of the running app, if enabled. Undefined when all is well, otherwise why the microVM ends. */
export async function callLifeHook(body: LifeBody, hook: RuntimeHook): Promise<string | undefined> {
  const { running } = body;
  if (running?.hooks?.[hook] === undefined) return undefined;
  const gone = new AbortController();
  void running.machine.exited.then(() => gone.abort());
  const failure = await callRuntimeHook(running.link, running.hooks, {
    hook,
    ...(hook === "run" ? { body: runBody(body) } : {}),
    // the last hook is called when the end is already wanted
    signal: hook === "terminate" ? gone.signal : AbortSignal.any([gone.signal, body.hurry]),
  });
  if (failure === undefined) return undefined;
  const reason = gone.signal.aborted ? STATE_REASONS.lost : ((await exitOf(body)) ?? failure);
  body.context.log.warn({ microvmId: body.record.id, hook, reason }, "a hook failed");
  return reason;
}

/** An app that has ended cannot answer: its end is the better reason. */
async function exitOf({ running }: LifeBody): Promise<string | undefined> {
  const status = await running?.link.status().catch(() => undefined);
  return status?.app === "exited" ? STATE_REASONS.exited(status.code) : undefined;
}

function runBody({ record }: LifeBody): RunHookBody {
  return { microvmId: record.id, runHookPayload: viewOf(record.row).runHookPayload ?? "" };
}
