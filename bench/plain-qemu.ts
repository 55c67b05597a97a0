import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { EMULATED_PROCESSOR, MACHINE } from "../src/engine/qemu/command-line.ts";
import { kernelArguments } from "../src/engine/qemu/kernel-arguments.ts";
import { QmpClient } from "../src/engine/qemu/qmp-client.ts";
import type { MachineShape } from "../src/engine/engine.ts";
import type { GuestLink } from "../src/guest-link/guest-link.ts";
import { createGuestLink } from "../src/guest-link/tcp-guest-link.ts";
import type { SlotLease } from "../src/network/slot-pool.ts";
import { PROJECT } from "../test/support/project.ts";

const GUEST = join(PROJECT, ".cache/guest");
const SOCKET_LIMIT_MS = 60_000;
const UP_LIMIT_MS = 300_000;
const POLL_MS = 5;
const UNBOUNDED = 2 ** 40;

export interface PlainSpec {
  readonly directory: string;
  readonly shape: MachineShape;
  readonly rootfs: string;
  readonly upper: string;
  readonly slot: SlotLease;
}

export interface PlainMachine {
  readonly pid: number;
  readonly qmp: QmpClient;
  readonly link: GuestLink;
  end(): Promise<void>;
}

/** The same virtual hardware as ours, driven the way QEMU's manual has it: memory of its own, boot or migration. */
export async function startPlainQemu(spec: PlainSpec, options: readonly string[] = []): Promise<PlainMachine> {
  const socket = join(spec.directory, "plain.sock");
  await rm(socket, { force: true });
  const program = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const child = spawn(
    "nsenter",
    [`--net=/run/netns/${spec.slot.network.namespace}`, program, ...(await machineArguments(spec, socket)), ...options],
    { stdio: "ignore" },
  );
  const exited = once(child, "exit");
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  };
  try {
    const qmp = await QmpClient.open(socket, { timeoutMs: SOCKET_LIMIT_MS });
    return { pid: child.pid ?? 0, qmp, link: createGuestLink(spec.slot.guest), end };
  } catch (cause) {
    await end();
    throw cause;
  }
}

/** Resolves when the guest runs on from the file. */
export async function restoreMigration(spec: PlainSpec, file: string): Promise<PlainMachine> {
  const machine = await startPlainQemu(spec, ["-incoming", "defer"]);
  try {
    await machine.qmp.execute("migrate-incoming", { uri: `exec:cat ${file}` });
    await whenMigrated(machine.qmp);
    await machine.qmp.execute("cont"); // it was stopped when it was saved
    return machine;
  } catch (cause) {
    await machine.end();
    throw cause;
  }
}

/** Writes the whole machine to a file; it stays stopped. */
export async function saveMigration({ qmp }: PlainMachine, file: string): Promise<void> {
  await qmp.execute("stop");
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": UNBOUNDED });
  await qmp.execute("migrate", { uri: `exec:cat > ${file}` });
  await whenMigrated(qmp);
}

async function whenMigrated(qmp: QmpClient): Promise<void> {
  for (;;) {
    const { status } = await qmp.execute<{ status?: string }>("query-migrate");
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled") throw new Error(`The migration ${status}`);
    await setTimeout(POLL_MS);
  }
}

export async function whenUp(machine: PlainMachine): Promise<void> {
  await machine.link.waitUntilUp(AbortSignal.timeout(UP_LIMIT_MS));
}

async function machineArguments({ shape, rootfs, upper, slot }: PlainSpec, socket: string): Promise<string[]> {
  const at = (name: string) => join(GUEST, name);
  const guest = { kernel: at("vmlinux"), initramfs: at("initramfs.cpio"), tscMeter: at("tsc-khz") };
  const drive = (serial: string, file: string, option: string) => [
    ...["-drive", `id=${serial},file=${file},if=none,format=raw,${option}`],
    ...["-device", `virtio-blk-device,drive=${serial},serial=${serial}`],
  ];
  return [
    ...["-accel", "tcg,thread=multi", "-cpu", EMULATED_PROCESSOR, "-M", MACHINE],
    ...["-m", String(shape.memoryMiB), "-smp", String(shape.vcpus)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "null"],
    ...["-qmp", `unix:${socket},server=on,wait=off`],
    ...["-kernel", guest.kernel, "-initrd", guest.initramfs, "-append", await kernelArguments("tcg", guest)],
    ...drive("rootfs", rootfs, "readonly=on"),
    ...drive("upper", upper, "discard=unmap,cache=unsafe"),
    ...["-netdev", `tap,id=n0,ifname=${slot.network.tap},script=no,downscript=no`],
    ...["-device", `virtio-net-device,netdev=n0,mac=${slot.network.mac},guest_announce=off`],
    ...["-device", "virtio-rng-device"],
  ];
}
