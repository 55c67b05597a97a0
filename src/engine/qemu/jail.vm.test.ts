import { once } from "node:events";
import { mkdir, readdir, readFile, readlink, stat } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runProgram } from "../../../test/support/project.ts";
import { useSystemCallOf, type SystemCall } from "../../../test/support/system-call-of.ts";
import { useTinyGuest } from "../../../test/support/tiny-guest.ts";
import { bootTiny } from "../../../test/support/tiny-template.ts";
import { startTicksOf } from "./process-identity.ts";

/** A template and running clones of it, each in its own slot. */
async function useClones(names: readonly string[] = ["one", "two"]) {
  const tiny = await useTinyGuest();
  const template = await bootTiny(tiny);
  const clones = await Promise.all(
    names.map(async (name) => {
      const slot = await tiny.slot();
      const directory = join(tiny.home, name);
      const machine = await tiny.engine.restore({ directory, template, rootfs: tiny.rootfs, network: slot.network });
      return {
        machine,
        pid: machine.handle.pid,
        directory,
        userId: slot.network.userId,
        namespace: slot.network.namespace,
        hostAddress: await hostAddressOf(slot.network.namespace),
      };
    }),
  );
  const [one, two, ...more] = clones;
  if (one === undefined || two === undefined) throw new Error("two clones");
  return { tiny, template, one, two, more };
}

async function statusOf(pid: number): Promise<Record<string, string>> {
  const lines = (await readFile(`/proc/${pid}/status`, "utf8")).trim().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(":")[0] ?? "", line.split("\t").slice(1).join(" ")]));
}

test("a monitor runs as nobody else, without powers, in an empty root, and cannot change its template", async () => {
  const { tiny, template, one, two } = await useClones();
  expect(one.userId).not.toBe(two.userId);
  for (const { pid, userId, namespace } of [one, two]) {
    const status = await statusOf(pid);
    expect(status).toMatchObject({
      Uid: Array(4).fill(userId).join(" "),
      Gid: Array(4).fill(userId).join(" "),
      Groups: `${userId} `,
      CapEff: "0000000000000000",
      CapPrm: "0000000000000000",
      NoNewPrivs: "1",
      Seccomp: "2",
    });
    expect(await readlink(`/proc/${pid}/root`)).toBe(join(tiny.home, "empty"));
    expect(await readdir(`/proc/${pid}/root`)).toEqual([]);
    expect((await stat(`/proc/${pid}/ns/net`)).ino).toBe((await stat(`/run/netns/${namespace}`)).ino);
    for (const name of ["ipc", "uts"])
      expect(await readlink(`/proc/${pid}/ns/${name}`)).not.toBe(await readlink(`/proc/self/ns/${name}`));
    expect(await writableFiles(pid)).toEqual(
      expect.not.arrayContaining([expect.stringContaining(template.directory), tiny.rootfs]),
    );
    expect(await readFile(`/proc/${pid}/limits`, "utf8")).toMatch(/Max core file size\s+0\s+0/);
  }
});

test("a hostile program with a monitor's user and network reaches nothing of others", async () => {
  const { tiny, template, one, two } = await useClones();
  const port = await useHostListener();
  const attempts = {
    "read the template": `cat ${template.directory}/memory.base`,
    "write the template": `echo x >> ${template.directory}/memory.base`,
    "write the image": `echo x >> ${tiny.rootfs}`,
    "read another's disk": `cat ${two.directory}/disk.upper`,
    "read another's memory": `dd if=/proc/${two.pid}/mem bs=1 count=1`,
    "read another's page map": `dd if=/proc/${two.pid}/pagemap bs=8 count=1`,
    "see another's files": `ls /proc/${two.pid}/fd/`,
    "signal another": `kill -0 ${two.pid}`,
    "signal the server": `kill -0 ${process.pid}`,
    "reach its own monitor's control socket": `: > ${one.directory}/qmp.sock`,
    "enter another's network": `nsenter --net=/run/netns/${two.namespace} true`,
    "enter another's namespaces": `nsenter --target ${two.pid} --ipc true`,
    mount: "mount -t tmpfs none /mnt",
    "change the network": "ip link add dummy9 type dummy",
    "reach the host": `busybox nc -w 1 ${one.hostAddress} ${port} < /dev/null`,
    "reach another's host side": `busybox nc -w 1 ${two.hostAddress} ${port} < /dev/null`,
    "leave its control groups": `echo $$ > ${(await groupsOf(two.pid))[0]}/cgroup.procs`,
    "lift its limits": `for f in ${(await groupsOf(one.pid)).join(" ")}; do echo 1 > $f/notify_on_release && exit 0; done; exit 1`,
    "write to the jail's root": `: > ${tiny.home}/empty/x`,
  };
  const asMonitor = (script: string) =>
    runProgram("nsenter", [
      `--net=/run/netns/${one.namespace}`,
      "setpriv",
      `--reuid=${one.userId}`,
      `--regid=${one.userId}`,
      "--clear-groups",
      "--no-new-privs",
      "--bounding-set=-all",
      "sh",
      "-c",
      script,
    ]);
  expect((await asMonitor("exit 7")).code).toBe(7);
  const succeeded: string[] = [];
  for (const [what, script] of Object.entries(attempts)) {
    if ((await asMonitor(script)).code === 0) succeeded.push(what);
  }
  expect(succeeded).toEqual([]);
});

/** Linux on x86-64; the numbers are its own (syscalls(2)). */
const CALL = {
  open: 2,
  mmap: 9,
  socket: 41,
  connect: 42,
  kill: 62,
  chmod: 90,
  setrlimit: 160,
  ptrace: 101,
  setuid: 105,
  mknod: 133,
  chroot: 161,
  mount: 165,
  unshare: 272,
  readMemory: 310,
  execve: 59,
} as const;
const O_RDWR = 2;
const PTRACE_SEIZE = 0x4206;
const CLONE_NEWUSER = 0x1000_0000;

test.runIf(process.arch === "x64")("a monitor that was taken over can do nothing to others", async () => {
  const { template, one, two, tiny, more } = await useClones(["one", "two", "three", "four", "five"]);
  const callOf = await useSystemCallOf();
  const attempts: Readonly<Record<string, SystemCall>> = {
    "open a path of the host": [CALL.open, "/etc/passwd", 0],
    "open its own directory": [CALL.open, one.directory, 0],
    "open another's disk": [CALL.open, join(two.directory, "disk.upper"), O_RDWR],
    "open the template": [CALL.open, join(template.directory, "memory.base"), 0],
    "open the image": [CALL.open, tiny.rootfs, O_RDWR],
    "open /proc": [CALL.open, "/proc/self/environ", 0],
    "open a device": [CALL.open, "/dev/net/tun", O_RDWR],
    "climb out of its root": [CALL.open, "../../../../etc/passwd", 0],
    "make a device": [CALL.mknod, "/sda", 0o060600, 0x800],
    "make a file": [CALL.open, "/x", 0o102, 0o600],
    "open up its root": [CALL.chmod, "/", 0o777],
    "become root": [CALL.setuid, 0],
    "change its root": [CALL.chroot, "/"],
    "signal another": [CALL.kill, two.pid, 0],
    "signal the server": [CALL.kill, process.pid, 0],
    "trace another": [CALL.ptrace, PTRACE_SEIZE, two.pid, 0, 0],
    "read another's memory": [CALL.readMemory, two.pid, await stackBytes(one.pid), 1, await stackBytes(two.pid), 1, 0],
    "send raw packets": [CALL.socket, 2, 3, 255],
    "watch its network": [CALL.socket, 17, 3, 0x300],
    "raise its limits": [CALL.setrlimit, 7, new Uint8Array(16).fill(1)],
  };
  // The call that everything above is told apart from.
  const own = await callOf(one.pid, [CALL.socket, 1, 1, 0]);
  expect(own).toBeGreaterThanOrEqual(0);
  const answers: Record<string, number | "killed"> = {};
  for (const [what, call] of Object.entries(attempts)) answers[what] = await callOf(one.pid, call);
  expect(Object.entries(answers).filter(([, answer]) => answer === "killed" || answer >= 0)).toEqual([]);
  // What no monitor ever does ends it.
  const deadly: readonly SystemCall[] = [
    [CALL.execve, "/bin/sh", 0, 0],
    [CALL.unshare, CLONE_NEWUSER],
    [CALL.mount, "none", "/", "tmpfs", 0, 0],
  ];
  expect(await Promise.all(more.map(({ pid }, index) => callOf(pid, deadly[index] ?? [CALL.mount])))).toEqual(
    deadly.map(() => "killed"),
  );
  expect(await startTicksOf(two.pid)).toBeDefined();
  // Even one that lost nothing but its first thread is ended for good.
  for (const { machine, pid } of more) {
    await machine.kill();
    expect(await startTicksOf(pid)).toBeUndefined();
  }
});

test("a machine is bounded by control groups of its own, which go with it", async () => {
  const { tiny, one, two } = await useClones();
  const groups = await groupsOf(one.pid);
  expect(groups.length).toBeGreaterThan(0);
  expect(await groupsOf(two.pid)).not.toEqual(groups);
  const limits = await limitsOf(groups);
  // TINY_SHAPE: 512 MiB and one processor
  expect(limits).toEqual({ memoryBytes: 1024 * 1024 * 1024, quotaUs: 200_000, weight: expect.any(Number), tasks: 256 });
  await tiny.engine.prefer(one.machine.handle, "surplus");
  const inSurplus = await groupsOf(one.pid);
  expect(await limitsOf(inSurplus)).toEqual(limits);
  const [counted, light] = [await limitsOf(groups.map(dirname)), await limitsOf(inSurplus.map(dirname))];
  expect(light.weight).toBeLessThanOrEqual((counted.weight ?? 0) / 12);
  await tiny.engine.prefer(one.machine.handle, "baseline");
  expect(await groupsOf(one.pid)).toEqual(groups);
  // as a server leaves them that is killed before it starts a machine
  const strays = groups.map((group) => `${group}-stray`);
  await Promise.all(strays.map((stray) => mkdir(stray)));
  await tiny.engine.removeEmptyGroups(basename(groups[0] ?? ""));
  for (const stray of strays) await expect(stat(stray)).rejects.toThrow(/ENOENT/);
  for (const group of groups) await stat(group);
  await one.machine.kill();
  for (const group of [...groups, ...inSurplus]) await expect(stat(group)).rejects.toThrow(/ENOENT/);
  process.kill(two.pid, "SIGKILL");
  await two.machine.exited;
  const left = await groupsOf(two.pid);
  await two.machine.kill();
  for (const group of left) await expect(stat(group)).rejects.toThrow(/ENOENT/);
});

/** Directories of the groups that a process is in, of those that the product makes. */
async function groupsOf(pid: number): Promise<string[]> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")).trim().split("\n");
  return lines.flatMap((line) => {
    const [, controllers = "", path = ""] = line.split(":");
    if (!/^\/catnap(-surplus)?\//.test(path)) return [];
    return [controllers === "" ? `/sys/fs/cgroup${path}` : `/sys/fs/cgroup/${controllers}${path}`];
  });
}

/** Reads whichever version of the interface this host has. */
async function limitsOf(groups: readonly string[]) {
  const read = async (...names: string[]) => {
    for (const group of groups) {
      for (const name of names) {
        const text = await readFile(join(group, name), "utf8").catch(() => undefined);
        if (text !== undefined) return Number.parseInt(text, 10);
      }
    }
    return undefined;
  };
  return {
    memoryBytes: await read("memory.max", "memory.limit_in_bytes"),
    quotaUs: await read("cpu.max", "cpu.cfs_quota_us"),
    weight: await read("cpu.weight", "cpu.shares"),
    tasks: await read("pids.max"),
  };
}

/** An iovec of eight bytes of a process's stack. */
async function stackBytes(pid: number): Promise<Uint8Array> {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  const end = /-([0-9a-f]+) .*\[stack\]/.exec(maps)?.[1] ?? "0";
  return new Uint8Array(new BigUint64Array([BigInt(`0x${end}`) - 16n, 8n]).buffer);
}

/** The host's end of a slot's link to it. */
async function hostAddressOf(namespace: string): Promise<string> {
  const { stdout } = await runProgram("ip", ["-n", namespace, "route", "show", "default"]);
  return /via (\S+)/.exec(stdout)?.[1] ?? "";
}

/** A port that answers on every address of the host. */
async function useHostListener(): Promise<number> {
  const server = createServer((socket) => socket.end("host")).listen(0, "0.0.0.0");
  await once(server, "listening");
  onTestFinished(async () => void (await new Promise((resolve) => server.close(resolve))));
  return (server.address() as AddressInfo).port;
}

/** Paths of the descriptors that a process may write through. */
async function writableFiles(pid: number): Promise<string[]> {
  const paths: string[] = [];
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const flags = Number.parseInt(
      /flags:\s+(\d+)/.exec(await readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "0",
      8,
    );
    if ((flags & 3) !== 0) paths.push(await readlink(`/proc/${pid}/fd/${fd}`));
  }
  return paths;
}
