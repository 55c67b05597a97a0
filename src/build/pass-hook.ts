import type { GuestLink } from "../guest-link/guest-link.ts";
import { passBuildHook } from "../hooks/build-hooks.ts";
import type { HookSettings } from "../model/hooks.ts";
import { failedToStart } from "./app-failure.ts";
import type { BuildLog } from "./build-log.ts";
import type { AppOutput } from "./follow-output.ts";

export interface HookPhase {
  readonly link: GuestLink;
  readonly log: BuildLog;
  readonly output: AppOutput;
  readonly signal: AbortSignal;
  readonly hooks: HookSettings;
  readonly hook: "ready" | "validate";
}

/** A build hook with its words in the build log; an app that ends meanwhile fails the build with its last words. */
export async function passHook({ link, log, output, signal, hooks, hook }: HookPhase): Promise<void> {
  const begun = performance.now();
  log.line(`calling /${hook} on port ${hooks.port}, for at most ${hooks[hook]} s`);
  await passBuildHook({
    link,
    hook,
    hooks,
    signal,
    onAnswer: (what) => log.line(`/${hook} ${what}`),
    checkApp: async () => {
      const status = await link.status();
      if (status.app === "exited") throw await failedToStart(status.code, log, output.ended);
    },
  });
  log.line(`/${hook} passed after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
