import { join } from "node:path";
import type { Acceleration } from "./acceleration.ts";
import { INHERITED, inheritedArguments } from "./inherited-files.ts";

/** Paths of what a guest boots from, made by setup. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initramfs: string;
  /** Prints the frequency of the host's time stamp counter in kHz. */
  readonly tscMeter: string;
}

/** What differs from machine to machine, as text. */
export interface CommandLineValues {
  readonly directory: string;
  readonly memoryMiB: string;
  readonly vcpus: string;
  readonly memoryFile: string;
  /** What confines the process needs of the memory's option. */
  readonly memoryOption: string;
  readonly tap: string;
  readonly mac: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly kernelArguments: string;
}

export interface CommandLineSpec {
  readonly acceleration: Acceleration;
  /** Guest memory is the file itself (a template in the making) or a private copy-on-write view of it (a clone). */
  readonly memoryIs: "template" | "clone";
}

export const QMP_SOCKET = "qmp.sock";
export const CONSOLE_LOG = "console.log";

/** The values' own names in braces: a command line made of them is kept, and filled in for each machine. */
export const PLACEHOLDERS: CommandLineValues = {
  directory: "{directory}",
  memoryMiB: "{memoryMiB}",
  vcpus: "{vcpus}",
  memoryFile: "{memoryFile}",
  memoryOption: "{memoryOption}",
  tap: "{tap}",
  mac: "{mac}",
  kernel: "{kernel}",
  initramfs: "{initramfs}",
  kernelArguments: "{kernelArguments}",
};

/** Values are not looked into again. */
export function fillIn(template: readonly string[], values: CommandLineValues): string[] {
  return template.map((argument) =>
    argument.replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? values[name as keyof CommandLineValues] : whole,
    ),
  );
}

/**
 * Arguments for qemu-system-…; a template and its clones must agree on everything that makes the virtual hardware. What
 * confines the process comes on top.
 */
export function commandLine(spec: CommandLineSpec, values: CommandLineValues): string[] {
  const isClone = spec.memoryIs === "clone";
  return [
    "-accel",
    spec.acceleration === "kvm" ? "kvm" : `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`,
    "-cpu",
    spec.acceleration === "kvm" ? "host" : EMULATED_PROCESSOR,
    "-M",
    `${MACHINE},memory-backend=ram0`,
    "-object",
    `memory-backend-file,id=ram0,size=${values.memoryMiB}M,mem-path=${values.memoryFile},share=${isClone ? "off" : "on"},reserve=off${values.memoryOption}`,
    "-m",
    values.memoryMiB,
    "-smp",
    values.vcpus,
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    // A guest writes its console without bound; only builds, whose console a person may need, keep it.
    "-serial",
    isClone ? "null" : `file:${join(values.directory, CONSOLE_LOG)}`,
    "-qmp",
    `unix:${join(values.directory, QMP_SOCKET)},server=on,wait=off`,
    "-kernel",
    values.kernel,
    "-initrd",
    values.initramfs,
    "-append",
    values.kernelArguments,
    ...drive("rootfs", "readonly=on"),
    ...drive("upper", isClone ? "discard=unmap,cache=unsafe" : "discard=unmap"),
    "-netdev",
    `tap,id=n0,ifname=${values.tap},script=no,downscript=no`,
    "-device",
    `virtio-net-device,netdev=n0,mac=${values.mac},guest_announce=off`,
    "-device",
    "virtio-rng-device",
    ...inheritedArguments,
    ...(isClone ? ["-incoming", "defer", "-global", "migration.send-configuration=off"] : []),
  ];
}

/** The interval timer of old would tick 73 times a second for a kernel that uses another. */
export const MACHINE = "microvm,acpi=on,rtc=on,pit=off";

/** Everything but the checks of the kernel against itself, which end a translation block at every copy from user space. */
export const EMULATED_PROCESSOR = "max,-smap,-smep";

/** Translated code kept per machine; the emulator's default of up to 1 GiB would bound density. */
const TRANSLATION_CACHE_MIB = 128;

/** The serial number is how the guest tells its disks apart (guest/PROTOCOL.md). */
function drive(name: "rootfs" | "upper", option: string): string[] {
  return [
    "-drive",
    `id=${name},file=${INHERITED[name]},if=none,format=raw,file.locking=off,${option}`,
    "-device",
    `virtio-blk-device,drive=${name},serial=${name}`,
  ];
}
