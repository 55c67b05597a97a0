import { setTimeout } from "node:timers/promises";
import { BuildFailure } from "../errors/build-failure.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { HookSettings } from "../model/hooks.ts";
import { callHook, type HookOutcome } from "./call-hook.ts";

/** Between two calls of a build hook that asked to be called again, or whose server does not listen yet. */
export const BUILD_HOOK_POLL_MS = 250;

export interface BuildHookOptions {
  readonly link: GuestLink;
  readonly hook: "ready" | "validate";
  readonly hooks: HookSettings;
  readonly signal: AbortSignal;
  /** Ends the wait when the app is gone; throws the failure to report. */
  readonly checkApp: () => Promise<void>;
  /** Told what a call came to whenever that is another thing than at the last call. */
  readonly onAnswer?: (what: string) => void;
}

/** Calls /ready or /validate until it answers 200: 503 means again, anything else fails the build (contract 5). */
export async function passBuildHook(options: BuildHookOptions): Promise<void> {
  const { link, hook, hooks, signal } = options;
  const limitMs = (hooks[hook] ?? 0) * 1000;
  const deadline = performance.now() + limitMs;
  let last = "";
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) throw failure(`${title(hook)} hook invocation timed out after ${isoDuration(limitMs / 1000)}`);
    const result = await callHook(link, { hook, port: hooks.port, timeoutMs: Math.ceil(left), signal });
    signal.throwIfAborted();
    const what = describe(result);
    if (what !== last) options.onAnswer?.(what);
    last = what;
    if (result.outcome === "answered" && result.status === 200) return;
    if (result.outcome === "answered" && result.status !== 503) throw failure(refusal(hook, result.status));
    await options.checkApp();
    await setTimeout(Math.min(BUILD_HOOK_POLL_MS, Math.max(0, left)), undefined, { signal });
  }
}

function describe(result: HookOutcome): string {
  switch (result.outcome) {
    case "answered":
      return `answered ${result.status}`;
    case "refused":
      return "cannot be called yet: nothing listens";
    case "timed-out":
      return "did not answer in time";
    case "failed":
      return "broke the connection or answered no HTTP";
  }
}

function refusal(hook: string, status: number): string {
  const kind =
    status >= 500
      ? "a server error (HTTP 5xx)"
      : status >= 400
        ? "a client error (HTTP 4xx)"
        : `an unexpected (HTTP ${status})`;
  return `${title(hook)} hook check failed: the application returned ${kind} response`;
}

function failure(reason: string): BuildFailure {
  return new BuildFailure("CONTAINER_BUILD_FAILED", reason);
}

function title(hook: string): string {
  return `${hook.charAt(0).toUpperCase()}${hook.slice(1)}`;
}

/** "PT5M", "PT1H", "PT90S" → "PT1M30S": whole seconds as ISO 8601 writes them. */
export function isoDuration(seconds: number): string {
  const [hours, minutes, rest] = [
    Math.floor(seconds / 3600),
    Math.floor((seconds % 3600) / 60),
    Math.floor(seconds % 60),
  ];
  const parts = `${hours > 0 ? `${hours}H` : ""}${minutes > 0 ? `${minutes}M` : ""}${rest > 0 ? `${rest}S` : ""}`;
  return `PT${parts === "" ? "0S" : parts}`;
}
