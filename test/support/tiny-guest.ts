import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openQemuEngine } from "../../src/engine/qemu/qemu-engine.ts";
import { createGuestLink } from "../../src/guest-link/tcp-guest-link.ts";
import type { ContainerConfig } from "../../src/model/container.ts";
import { openSlotPool } from "../../src/network/slot-pool.ts";
import { mustRun, PROJECT } from "./project.ts";

export const GUEST_FILES = {
  kernel: join(PROJECT, ".cache/guest/vmlinux"),
  initramfs: join(PROJECT, ".cache/guest/initramfs.cpio"),
  tscMeter: join(PROJECT, ".cache/guest/tsc-khz"),
};
const jailFiles = (home: string) => ({
  launcher: join(PROJECT, ".cache/guest/vmm-launch"),
  readOnlyMemory: join(PROJECT, ".cache/guest/read-only-memory.so"),
  root: join(home, "empty"),
});
export const TINY_SHAPE = { memoryMiB: 512, vcpus: 1 } as const;

/** A real engine, slots and disks of a busybox container that answers on 8080 with a counter it keeps in a file on disk and one in memory. */
export async function useTinyGuest({ resolver }: { resolver?: string } = {}) {
  const home = await mkdtemp(join(tmpdir(), "catnap-tiny-"));
  const engine = await openQemuEngine({
    guest: GUEST_FILES,
    acceleration: "tcg",
    jail: jailFiles(home),
    sparseSum: join(PROJECT, ".cache/guest/sparse-sum"),
    engines: join(home, "engines"),
  });
  const pool = await openSlotPool({ home, subnet: "auto", spares: 0, resolver });
  const leases: { release(): Promise<void> }[] = [];
  onTestFinished(async () => {
    await engine.killStrays(home, new Set());
    await Promise.all(leases.map((lease) => lease.release()));
    await pool.close();
    await rm(home, { recursive: true, force: true });
  });
  const rootfs = await makeRootfs(home);
  const upper = join(home, "upper.ext4");
  await mustRun("truncate", ["-s", "64M", upper]);
  await mustRun("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", upper]);
  return {
    home,
    engine,
    pool,
    rootfs,
    async slot() {
      const lease = await pool.acquire();
      leases.push(lease);
      return { ...lease, link: createGuestLink(lease.guest) };
    },
    /** A directory with a fresh disk. */
    async directory(name: string) {
      const directory = join(home, name);
      await mkdir(directory);
      await mustRun("cp", ["--sparse=always", upper, join(directory, "disk.upper")]);
      return directory;
    },
  };
}

export const TINY_CONTAINER: ContainerConfig = {
  argv: ["/bin/busybox", "nc", "-ll", "-p", "8080", "-e", "/bin/count"],
  env: {},
  workingDir: "/",
  user: "",
  exposedTcpPorts: [8080],
  stopSignal: 15,
  allCapabilities: false,
};

async function makeRootfs(home: string): Promise<string> {
  const tree = join(home, "tree");
  await mkdir(join(tree, "bin"), { recursive: true });
  await copyFile("/bin/busybox", join(tree, "bin/busybox"));
  await mustRun("ln", ["-s", "busybox", join(tree, "bin/sh")]);
  const count =
    "#!/bin/sh\nn=$(cat /dev/shm/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >/dev/shm/n; d=$(cat /n 2>/dev/null || echo 0); d=$((d+1)); echo $d >/n; echo $n $d $(date +%s)\n";
  await writeFile(
    join(tree, "bin/count"),
    count.replaceAll("$(cat", "$(busybox cat").replace("$(date", "$(busybox date"),
    { mode: 0o755 },
  );
  const image = join(home, "rootfs.ext4");
  await mustRun("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, image, "16M"]);
  return image;
}
