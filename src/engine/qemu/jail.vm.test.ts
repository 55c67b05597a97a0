import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../../test/support/project.ts";
import { useTinyGuest } from "../../../test/support/tiny-guest.ts";
import { bootTiny } from "../../../test/support/tiny-template.ts";

/** A template and two running clones of it, each in its own slot. */
async function useTwoClones() {
  const tiny = await useTinyGuest();
  const template = await bootTiny(tiny);
  const clones = await Promise.all(
    ["one", "two"].map(async (name) => {
      const slot = await tiny.slot();
      const directory = await tiny.directory(name, join(template.directory, "disk.upper"));
      const machine = await tiny.engine.restore({ directory, template, rootfs: tiny.rootfs, network: slot.network });
      return { pid: machine.handle.pid, directory, userId: slot.network.userId, namespace: slot.network.namespace };
    }),
  );
  const [one, two] = clones;
  if (one === undefined || two === undefined) throw new Error("two clones");
  return { tiny, template, one, two };
}

async function statusOf(pid: number): Promise<Record<string, string>> {
  const lines = (await readFile(`/proc/${pid}/status`, "utf8")).trim().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(":")[0] ?? "", line.split("\t").slice(1).join(" ")]));
}

test("a monitor runs as nobody else, without powers, in an empty root, and cannot change its template", async () => {
  const { tiny, template, one, two } = await useTwoClones();
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
  const { tiny, template, one, two } = await useTwoClones();
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
