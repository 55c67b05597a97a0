import { mkdir } from "node:fs/promises";
import { AppError } from "../../errors/app-error.ts";

/** Paths of what confines a monitor, made by setup from native/. */
export interface JailFiles {
  /** Enters the namespaces and becomes the monitor. */
  readonly launcher: string;
  /** Library for monitors that would open a template's memory for writing. */
  readonly readOnlyMemory: string;
  /** The monitors' root directory: an empty one, which none of them may write. */
  readonly root: string;
}

/** "QEMU emulator version 7.2.22 (Debian …)" → [7, 2] */
export type MonitorVersion = readonly [major: number, minor: number];

const isFrom = (version: MonitorVersion, major: number, minor: number) =>
  version[0] > major || (version[0] === major && version[1] >= minor);

export function parseMonitorVersion(text: string): MonitorVersion {
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined)
    throw new AppError("ERR_HOST_MISSING_TOOL", { message: `QEMU does not tell its version: ${text.slice(0, 200)}` });
  return [Number(major), Number(minor)];
}

export async function makeJailRoot(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o555 });
}

/**
 * What makes the monitor give up its powers once its files are open and before its guest runs: another user, an empty
 * root, and a filter that kills it for starting programs.
 */
export function jailArguments(version: MonitorVersion, { root, userId }: { root: string; userId: number }): string[] {
  return [
    ...(isFrom(version, 8, 1) ? ["-run-with", `chroot=${root}`] : ["-chroot", root]),
    "-runas",
    `${userId}:${userId}`,
    "-sandbox",
    // Denying elevation would kill its own change of the user; the launcher has ruled out any after that.
    "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny",
  ];
}

/** How a clone's memory is kept from being a way to change its template: by the monitor itself, or by a library. */
export function readOnlyMemory(
  version: MonitorVersion,
  { files, memoryFile }: { files: JailFiles; memoryFile: string },
): { readonly option: string; readonly environment: Readonly<Record<string, string>> } {
  if (isFrom(version, 8, 2)) return { option: ",readonly=on,rom=off", environment: {} };
  return { option: "", environment: { LD_PRELOAD: files.readOnlyMemory, CATNAP_READ_ONLY_FILE: memoryFile } };
}
