import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Field 22 of /proc/PID/stat; undefined when there is no such process or it is a zombie. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The command name may hold blanks and parentheses; fields are counted after its closing one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

/** CPU time of a process in seconds, user and system. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** USER_HZ, fixed by the kernel's ABI. */
const CLOCK_TICKS_PER_SECOND = 100;

/** Resident bytes that no other process shares. */
export async function privateBytesOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map((match) => Number(match[1]));
  return kib.reduce((sum, value) => sum + value, 0) * 1024;
}

/** What a monitor says; the open file also tells which machine a process is, wherever its directory moved. */
export const VMM_LOG = "vmm.log";

/** Monitor processes of the machines in `directory` or below it. */
export async function processesWorkingIn(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [output = "", program = ""] = await Promise.all([
        readlink(`/proc/${pid}/fd/1`),
        readlink(`/proc/${pid}/exe`),
      ]).catch(() => []);
      const isInside = output.startsWith(`${directory}/`) && basename(output) === VMM_LOG;
      return isInside && /\/(?:qemu-system-|vmm-launch)/.test(program) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** Kills a process that is not ours to wait for, and waits until it is gone. */
export async function endProcess(pid: number): Promise<void> {
  const born = await startTicksOf(pid);
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return; // gone already
  }
  while (born !== undefined && (await startTicksOf(pid)) === born) await setTimeout(5);
}
