import { readFile } from "node:fs/promises";

export type Acceleration = "kvm" | "tcg";

/** Runs a cold boot with an acceleration until the kernel has started user space; milliseconds, undefined when it failed. */
export type ProbeBoot = (acceleration: Acceleration, limitMs: number) => Promise<number | undefined>;

/** Real virtualization starts a kernel in well under this; an emulated /dev/kvm takes minutes. */
const KVM_BOOT_LIMIT_MS = 3_000;

/**
 * Chooses by evidence: the processor must offer virtualization to us and a timed boot must be quick. The existence of
 * /dev/kvm proves nothing: on hosts that emulate it, a guest runs hundreds of times slower than plain emulation.
 */
export async function chooseAcceleration(wanted: "auto" | Acceleration, probe: ProbeBoot): Promise<Acceleration> {
  if (wanted !== "auto") return wanted;
  if (!hasVirtualization(await readFile("/proc/cpuinfo", "utf8"), process.arch)) return "tcg";
  return (await probe("kvm", KVM_BOOT_LIMIT_MS)) === undefined ? "tcg" : "kvm";
}

export function hasVirtualization(cpuinfo: string, architecture: string): boolean {
  return architecture === "arm64" || /^flags\s*:.*\b(?:vmx|svm)\b/m.test(cpuinfo);
}
