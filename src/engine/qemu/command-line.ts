import { join } from "node:path";
import type { MachineShape, NetworkAttachment } from "../engine.ts";
import type { Acceleration } from "./acceleration.ts";
import { INHERITED, inheritedArguments } from "./inherited-files.ts";

/** Paths of what a guest boots from, made by setup. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initramfs: string;
  /** Prints the frequency of the host's time stamp counter in kHz. */
  readonly tscMeter: string;
}

export interface CommandLineSpec {
  readonly acceleration: Acceleration;
  readonly guest: GuestFiles;
  readonly kernelArguments: string;
  readonly directory: string;
  readonly shape: MachineShape;
  readonly memoryFile: string;
  /** Guest memory is the file itself (a template in the making) or a private copy-on-write view of it (a clone). */
  readonly memoryIs: "template" | "clone";
  /** A clone that waits to be told to run. */
  readonly isPaused?: boolean;
  /** Arguments that confine the process, and what the memory's option needs for it. */
  readonly jail: { readonly arguments: readonly string[]; readonly memoryOption: string };
  readonly network: NetworkAttachment;
}

export const QMP_SOCKET = "qmp.sock";
export const CONSOLE_LOG = "console.log";

/** Arguments for qemu-system-…; a template and its clones must agree on everything that makes the virtual hardware. */
export function commandLine(spec: CommandLineSpec): string[] {
  const { shape, directory } = spec;
  const isClone = spec.memoryIs === "clone";
  return [
    "-accel",
    spec.acceleration === "kvm" ? "kvm" : `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`,
    "-cpu",
    spec.acceleration === "kvm" ? "host" : EMULATED_PROCESSOR,
    "-M",
    "microvm,acpi=on,rtc=on,memory-backend=ram0",
    "-object",
    `memory-backend-file,id=ram0,size=${shape.memoryMiB}M,mem-path=${spec.memoryFile},share=${isClone ? "off" : "on"},reserve=off${spec.jail.memoryOption}`,
    "-m",
    String(shape.memoryMiB),
    "-smp",
    String(shape.vcpus),
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    // A guest writes its console without bound; only builds, whose console a person may need, keep it.
    "-serial",
    isClone ? "null" : `file:${join(directory, CONSOLE_LOG)}`,
    "-qmp",
    `unix:${join(directory, QMP_SOCKET)},server=on,wait=off`,
    "-kernel",
    spec.guest.kernel,
    "-initrd",
    spec.guest.initramfs,
    "-append",
    spec.kernelArguments,
    ...drive("rootfs", "readonly=on"),
    ...drive("upper", isClone ? "discard=unmap,cache=unsafe" : "discard=unmap"),
    "-netdev",
    `tap,id=n0,ifname=${spec.network.tap},script=no,downscript=no`,
    "-device",
    `virtio-net-device,netdev=n0,mac=${spec.network.mac},guest_announce=off`,
    "-device",
    "virtio-rng-device",
    ...inheritedArguments,
    ...spec.jail.arguments,
    ...(isClone ? ["-incoming", "defer", "-global", "migration.send-configuration=off"] : []),
    ...(spec.isPaused ? ["-S"] : []),
  ];
}

/** Everything but the checks of the kernel against itself, which end a translation block at every copy from user space. */
const EMULATED_PROCESSOR = "max,-smap,-smep";

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
