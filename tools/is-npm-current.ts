/** Exit 0 if node_modules holds what package-lock.json says, as npm itself noted when it last installed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

type LockedPackages = Readonly<Record<string, LockedPackage>>;

const root = join(import.meta.dirname, "..");
const notePath = join(root, "node_modules/.package-lock.json");

function readPackages(path: string): LockedPackages {
  return (JSON.parse(readFileSync(path, "utf8")) as { packages: LockedPackages }).packages;
}

/** Optional packages are native parts for one platform; those for this one are needed after all. */
function isNeededHere(entry: LockedPackage): boolean {
  if (!entry.optional) return true;
  const isNative = entry.os !== undefined && entry.integrity !== undefined;
  return (
    isNative && allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, "glibc")
  );
}

function allows(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.includes(name);
}

function isCurrent(): boolean {
  if (!existsSync(notePath)) return false;
  const installed = readPackages(notePath);
  return Object.entries(readPackages(join(root, "package-lock.json"))).every(([path, entry]) => {
    const found = installed[path];
    if (path === "" || (found === undefined && !isNeededHere(entry))) return true;
    return found?.version === entry.version && (!entry.integrity || found?.integrity === entry.integrity);
  });
}

process.exitCode = isCurrent() ? 0 : 1;
