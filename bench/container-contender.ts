import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuiltImage } from "../src/build/image-builder.ts";
import type { Cleanup } from "../src/util/cleanup.ts";
import { mustRun, runProgram } from "../test/support/project.ts";
import type { Contender } from "./alternate.ts";
import { untilAnswered } from "./bare-process.ts";
import { freePort } from "./free-port.ts";
import { treeOf, usageOf } from "./processes.ts";

/** The first that is there: crun of Debian 12 refuses hosts with both kinds of control groups. */
const RUNTIMES = ["runc", "crun"];
const MISSING = `no container runtime is installed (apt install ${RUNTIMES[0]})`;
const PORT = "8080";

/** The image as a container of the distribution's runtime: its own mounts, processes and host name, the host's network. */
export async function containerContender(image: BuiltImage, cleanup: Cleanup): Promise<Contender> {
  const runtime = await findRuntime();
  if (runtime === undefined) return { name: "container", round: () => Promise.reject(new Error(MISSING)) };
  const directory = await mkdtemp(join(tmpdir(), "catnap-bench-container-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const [lower, merged] = [join(directory, "lower"), join(directory, "rootfs")];
  for (const folder of [lower, merged]) await mkdir(folder);
  await mustRun("mount", ["-o", "loop,ro", image.rootfs, lower]);
  cleanup.add(() => mustRun("umount", [lower]));
  return {
    name: `container (${runtime})`,
    async round() {
      const port = await freePort();
      await writeFile(join(directory, "config.json"), JSON.stringify(runtimeConfig(image, port)));
      const begun = performance.now();
      const upper = await mkdtemp(join(directory, "upper-"));
      for (const folder of ["diff", "work"]) await mkdir(join(upper, folder));
      const layers = `lowerdir=${lower},upperdir=${join(upper, "diff")},workdir=${join(upper, "work")}`;
      await mustRun("mount", ["-t", "overlay", "overlay", "-o", layers, merged]);
      const name = `catnap-bench-${process.pid}`;
      const child = spawn(runtime, [...(runtime === "crun" ? ["--cgroup-manager=disabled"] : []), "run", name], {
        cwd: directory,
        stdio: "ignore",
      });
      const exited = once(child, "exit");
      try {
        await untilAnswered(port, () => child.exitCode);
        const ms = performance.now() - begun;
        return { ms, ...(await usageOf(await treeOf(child.pid ?? 0))) };
      } finally {
        await runProgram(runtime, ["delete", "--force", name]);
        if (child.exitCode === null) await exited;
        await mustRun("umount", [merged]);
        await rm(upper, { recursive: true });
      }
    },
  };
}

async function findRuntime(): Promise<string | undefined> {
  for (const name of RUNTIMES) if ((await runProgram("which", [name])).code === 0) return name;
  return undefined;
}

/** The app listens on the host's network, so it is told a port that is free there. */
function runtimeConfig({ container }: BuiltImage, port: number): object {
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0 },
      args: container.argv.map((argument) => argument.replace(PORT, String(port))),
      env: Object.entries(container.env).map(([name, value]) => `${name}=${value}`),
      cwd: container.workingDir,
      noNewPrivileges: true,
    },
    root: { path: "rootfs" },
    hostname: "bench",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "nodev", "mode=1777"] },
    ],
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }, { type: "uts" }, { type: "ipc" }] },
  };
}
