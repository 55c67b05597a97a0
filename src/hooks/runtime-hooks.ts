import type { GuestLink } from "../guest-link/guest-link.ts";
import type { HookSettings } from "../model/hooks.ts";
import { callHook, type HookOutcome } from "./call-hook.ts";

export type RuntimeHook = "run" | "resume" | "suspend" | "terminate";

export interface RunHookBody {
  readonly microvmId: string;
  /** As given to RunMicrovm; "" when none was. */
  readonly runHookPayload: string;
}

export interface RuntimeHookCall {
  readonly hook: RuntimeHook;
  /** Only /run has one. */
  readonly body?: RunHookBody;
  /** Gives up before the hook's own time is over. */
  readonly signal?: AbortSignal;
}

const ADVICE = "Please check your hook endpoint and application logs for more details.";

/**
 * Calls a runtime hook if the image enables it. Undefined means all is well; otherwise the `stateReason` of the microVM
 * that ends because of it, in the service's words (contract 4.4, observed 2.3).
 */
export async function callRuntimeHook(
  link: GuestLink,
  hooks: HookSettings | undefined,
  { hook, body, signal }: RuntimeHookCall,
): Promise<string | undefined> {
  const seconds = hooks?.[hook];
  if (hooks === undefined || seconds === undefined) return undefined;
  const outcome = await callHook(link, {
    hook,
    port: hooks.port,
    timeoutMs: seconds * 1000,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  return reasonOf(hook, outcome);
}

export function reasonOf(hook: RuntimeHook, result: HookOutcome): string | undefined {
  const name = `${hook.charAt(0).toUpperCase()}${hook.slice(1)} lifecycle hook`;
  switch (result.outcome) {
    case "answered":
      return result.status === 200 ? undefined : `${name} returned HTTP status ${result.status}. ${ADVICE}`;
    case "refused":
      return `${name} connection was refused. ${ADVICE}`;
    case "timed-out":
      return `${name} timed out`;
    case "failed":
      return `${name} failed. ${ADVICE}`;
  }
}
