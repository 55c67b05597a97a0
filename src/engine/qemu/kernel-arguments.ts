import { runCommand } from "../../util/run-command.ts";
import type { Acceleration } from "./acceleration.ts";
import type { GuestFiles } from "./command-line.ts";

/**
 * "reboot=t panic=-1": a guest that panics or powers off ends the monitor process. Watchdogs, pressure statistics, audit
 * and security modules that nobody configures in here would run at every wake; Landlock, which applications use to
 * confine themselves, stays.
 */
export const BASE_ARGUMENTS = "console=ttyS0 reboot=t panic=-1 quiet nowatchdog psi=0 audit=0 lsm=landlock";

/**
 * The kernel command line for an acceleration. Under emulation the guest's time stamp counter is the host's, and its
 * frequency is told: calibration against the emulated timer fails on a busy host, and a kernel without a clock hangs.
 * Mitigations are for processors that speculate; an emulated one does not.
 */
export async function kernelArguments(acceleration: Acceleration, guest: GuestFiles): Promise<string> {
  if (acceleration === "kvm" || process.arch !== "x64") return BASE_ARGUMENTS;
  const { stdout } = await runCommand(guest.tscMeter, []);
  return `${BASE_ARGUMENTS} tsc_early_khz=${Number.parseInt(stdout, 10)} tsc=reliable no_timer_check mitigations=off`;
}
