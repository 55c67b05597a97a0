import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Fields of a stat file (proc(5)) from the third on: the name before may hold blanks and parentheses. */
export function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Field 22 of /proc/PID/stat; undefined when there is no such process or all of it is a zombie. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = statFields(stat);
  // A process whose first thread alone has ended, as a system-call filter may do to it, lives on in the others.
  const threads = Number(fields[17]);
  return fields[0] === "X" || (fields[0] === "Z" && threads <= 1) ? undefined : fields[19];
}

/** What a monitor says; the open file also tells which machine a process is, wherever its directory moved. */
export const VMM_LOG = "vmm.log";

/** Monitor processes of the machines in `directory` or below it. */
export async function processesWorkingIn(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [output = "", program = ""] = await linksOf(pid).catch(() => linksOfThreads(pid));
      const isInside = output.startsWith(`${directory}/`) && basename(output) === VMM_LOG;
      return isInside && /\/(?:qemu-system-|vmm-launch)/.test(program) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** What standard output is, and what runs. */
function linksOf(process: string): Promise<string[]> {
  return Promise.all([readlink(`/proc/${process}/fd/1`), readlink(`/proc/${process}/exe`)]);
}

/** Of a process whose first thread has ended. */
async function linksOfThreads(pid: string): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const other = threads.find((thread) => thread !== pid);
  return other === undefined ? [] : linksOf(`${pid}/task/${other}`).catch(() => []);
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
