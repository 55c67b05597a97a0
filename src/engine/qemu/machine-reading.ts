import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ENGINE_FILES, type MachineHandle, type MachineReading } from "../engine.ts";
import { statFields } from "./process-identity.ts";

/** USER_HZ, fixed by the kernel's ABI. */
const CLOCK_TICKS_PER_SECOND = 100;
/** Of the kernel that the host runs; resident memory is told in pages. */
const PAGE_BYTES = 4096;

/**
 * Read on the event loop: 10 µs a machine, where a thread of the pool takes ten times that. Undefined when the process is
 * gone or its id is another's.
 */
export function readMachine({ pid, startTicks }: MachineHandle): MachineReading | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  return parseStat(stat, startTicks);
}

/** Of a stat file (proc(5)) of the process that began at this tick. */
export function parseStat(stat: string, startTicks: string): MachineReading | undefined {
  const fields = statFields(stat);
  if (fields[19] !== startTicks) return undefined;
  return { cpuSeconds: cpuSecondsIn(fields), residentBytes: Number(fields[21]) * PAGE_BYTES };
}

/** Processor time of any process in seconds, user and system. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  return cpuSecondsIn(statFields(await readFile(`/proc/${pid}/stat`, "latin1")));
}

function cpuSecondsIn(fields: readonly string[]): number {
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** What of the guest's memory is in this machine: without the monitor's own, of which translated code alone is much. */
export async function guestBytesOf({ pid, template }: MachineHandle): Promise<number> {
  const smaps = await readFile(`/proc/${pid}/smaps`, "latin1");
  return template === undefined ? 0 : parseResident(smaps, join(template.directory, ENGINE_FILES.templateMemory));
}

/** Resident bytes of the mappings of a file, in an smaps file (proc(5)). */
export function parseResident(smaps: string, file: string): number {
  let isOfFile = false;
  let kib = 0;
  for (const line of smaps.split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isOfFile = line.endsWith(` ${file}`);
    else if (isOfFile && line.startsWith("Rss:")) kib += Number.parseInt(line.slice(4), 10);
  }
  return kib * 1024;
}
