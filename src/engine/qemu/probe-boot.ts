import { spawn } from "node:child_process";
import type { Acceleration, ProbeBoot } from "./acceleration.ts";
import { MACHINE, type GuestFiles } from "./command-line.ts";
import { BASE_ARGUMENTS } from "./kernel-arguments.ts";

/** A boot without disk and network: the agent says on the console that it runs, which is all the probe waits for. */
const CONSOLE_SIGN_OF_LIFE = "kernel ready";

/** Times a real cold boot of the real kernel, killed at the limit. */
export function probeBoot(program: string, guest: GuestFiles): ProbeBoot {
  return (acceleration: Acceleration, limitMs: number) =>
    new Promise((resolve) => {
      const begun = performance.now();
      const args = [
        "-accel",
        acceleration,
        "-cpu",
        acceleration === "kvm" ? "host" : "max",
        "-M",
        MACHINE,
        "-m",
        "256",
        "-smp",
        "1",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-serial",
        "stdio",
        "-kernel",
        guest.kernel,
        "-initrd",
        guest.initramfs,
        "-append",
        BASE_ARGUMENTS,
      ];
      const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
      let said = "";
      const finish = (elapsed: number | undefined) => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        resolve(elapsed);
      };
      const timer = setTimeout(() => finish(undefined), limitMs);
      child.stdout.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString("latin1")).slice(-4096);
        if (said.includes(CONSOLE_SIGN_OF_LIFE)) finish(performance.now() - begun);
      });
      child.once("error", () => finish(undefined));
      child.once("exit", () => finish(undefined));
    });
}
