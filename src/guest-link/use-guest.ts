import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import { MACHINE } from "../engine/qemu/command-line.ts";
import type { ContainerConfig } from "../model/container.ts";
import { DISK_SERIALS } from "../model/guest.ts";
import { openSlotPool } from "../network/slot-pool.ts";
import { runCommand } from "../util/run-command.ts";
import type { GuestAddress, GuestEvent, GuestLink, RelayRefusal } from "./guest-link.ts";
import { createGuestLink } from "./tcp-guest-link.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const GUEST = join(REPOSITORY, ".cache/guest");
const BOOT_TIMEOUT_MS = 60_000;

export interface TestGuest {
  readonly link: GuestLink;
  readonly address: GuestAddress;
  readonly namespace: string;
  /** Settles when the monitor process has ended. */
  readonly ended: Promise<void>;
}

/** Boots the real guest under emulation in a network slot of its own, with busybox as its image. */
export async function useGuest(): Promise<TestGuest> {
  await runCommand(join(REPOSITORY, "guest/build.sh"), []);
  const directory = await mkdtemp(join(tmpdir(), "catnap-guest-"));
  const cleanUps: (() => unknown)[] = [() => rm(directory, { recursive: true })];
  onTestFinished(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  });
  await makeDisks(directory);
  const pool = await openSlotPool({ home: directory, subnet: "auto", spares: 0 });
  cleanUps.push(() => pool.close());
  const lease = await pool.acquire();
  cleanUps.push(() => lease.release());
  const stop = new AbortController();
  const ended = startMonitor(directory, lease.network.namespace, stop.signal);
  cleanUps.push(() => (stop.abort(), ended));
  const link = createGuestLink(lease.guest);
  await link.waitUntilUp(AbortSignal.timeout(BOOT_TIMEOUT_MS)).catch(async (error: Error) => {
    throw new Error(`${error.message}; console:\n${await readFile(join(directory, "console.log"), "utf8")}`, {
      cause: error,
    });
  });
  return { link, address: lease.guest, namespace: lease.network.namespace, ended };
}

async function makeDisks(directory: string): Promise<void> {
  const root = join(directory, "root");
  for (const name of ["bin", "etc", "tmp"]) await mkdir(join(root, name), { recursive: true });
  await runCommand("cp", ["-L", "/bin/busybox", join(root, "bin/busybox")]);
  const { stdout } = await runCommand("/bin/busybox", ["--list"]);
  const applets = stdout
    .trim()
    .split("\n")
    .filter((name) => name !== "busybox");
  await Promise.all(applets.map((name) => symlink("busybox", join(root, "bin", name))));
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\napp:x:1001:\nextra:x:2000:app\n");
  await symlink("../run/resolv.conf", join(root, "etc/resolv.conf")); // as images made from an installed system have it
  await runCommand("mke2fs", ["-q", "-F", "-t", "ext4", "-d", root, join(directory, "rootfs.ext4"), "16M"]);
  await runCommand("mke2fs", ["-q", "-F", "-t", "ext4", join(directory, "upper.ext4"), "256M"]);
}

async function startMonitor(directory: string, namespace: string, signal: AbortSignal): Promise<void> {
  const { stdout: tscKhz } = await runCommand(join(GUEST, "tsc-khz"), []);
  const disk = (name: keyof typeof DISK_SERIALS, option: string): string[] => [
    "-drive",
    `id=${name},file=${join(directory, `${name}.ext4`)},if=none,format=raw${option}`,
    "-device",
    `virtio-blk-device,drive=${name},serial=${DISK_SERIALS[name]}`,
  ];
  await runCommand(
    "ip",
    [
      "netns",
      "exec",
      namespace,
      "qemu-system-x86_64",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-M",
      MACHINE,
      "-m",
      "512",
      "-smp",
      "1",
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
      "-serial",
      `file:${join(directory, "console.log")}`,
      "-kernel",
      join(GUEST, "vmlinux"),
      "-initrd",
      join(GUEST, "initramfs.cpio"),
      "-append",
      `console=ttyS0 reboot=t panic=-1 quiet tsc=reliable tsc_early_khz=${tscKhz.trim()}`,
      // The other way round than the guest would guess: serials decide, not the order.
      ...disk("upper", ",discard=unmap"),
      ...disk("rootfs", ",readonly=on"),
      "-netdev",
      "tap,id=n0,ifname=tap0,script=no,downscript=no",
      "-device",
      "virtio-net-device,netdev=n0,mac=02:ca:7a:00:00:02",
      "-device",
      "virtio-rng-device",
    ],
    { signal },
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

export function shell(script: string, more: Partial<ContainerConfig> = {}): ContainerConfig {
  const base = { env: {}, workingDir: "/", user: "", exposedTcpPorts: [], stopSignal: 15, allCapabilities: false };
  return { ...base, argv: ["sh", "-c", script], ...more };
}

/** An app that runs whatever script is sent to its port 8080. */
export const REMOTE_SHELL = "exec nc -ll -p 8080 -e sh";

/** Runs a script in the container of an app started with REMOTE_SHELL. */
export async function runInside(link: GuestLink, script: string): Promise<string> {
  return say(await link.relay(8080), `exec 2>&1\n${script}\n`);
}

/** Sends a text, ends the sending, and returns all that comes back. */
export async function say(relay: Duplex | RelayRefusal, text: string): Promise<string> {
  if (!(relay instanceof Duplex)) throw new Error(`the relay was refused: ${JSON.stringify(relay)}`);
  relay.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of relay as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Resolves when the app listens. */
export async function untilListening(link: GuestLink, port: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await link.listeningPorts([port])).includes(port)) {
    if (Date.now() > deadline) throw new Error(`nothing listens on ${port}: ${JSON.stringify(await link.status())}`);
  }
}

/** All events up to and including the app's end. */
export async function eventsUntilExit(link: GuestLink): Promise<GuestEvent[]> {
  const events: GuestEvent[] = [];
  for await (const event of link.events(0, AbortSignal.timeout(60_000))) {
    events.push(event);
    if (event.kind === "exited") break;
  }
  return events;
}
