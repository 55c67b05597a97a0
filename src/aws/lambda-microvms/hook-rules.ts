import type { Hooks } from "@aws-sdk/client-lambda-microvms";
import { validation } from "./faults.ts";

/** Rules between the members of `hooks` (contract 5, observed 2.1). */
export function checkHooks(hooks: Hooks | undefined): void {
  if (!hooks) return;
  const { run, resume, suspend, terminate } = hooks.microvmHooks ?? {};
  const { ready, validate } = hooks.microvmImageHooks ?? {};
  const isRuntimeHookEnabled = [run, resume, suspend, terminate].includes("ENABLED");
  const isAnyEnabled = isRuntimeHookEnabled || ready === "ENABLED" || validate === "ENABLED";
  if (isRuntimeHookEnabled && ready !== "ENABLED") {
    throw validation(
      "The ready (/ready) MicroVM image hook must be enabled when any MicroVM lifecycle hook (run, resume, suspend, or terminate) is enabled. " +
        "The ready hook tells when the application can be snapshotted with its hook server listening.",
    );
  }
  if (isAnyEnabled && hooks.port === undefined)
    throw validation("A hooks port must be provided when any hook is enabled");
  if (!isAnyEnabled && hooks.port !== undefined)
    throw validation("At least one hook must be enabled when a hooks port is provided");
}

export function isRunHookEnabled(hooks: Hooks | undefined): boolean {
  return hooks?.microvmHooks?.run === "ENABLED";
}
