/** Exit 0 if node_modules holds what package-lock.json says, as npm itself noted when it last installed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Lock {
  packages: Record<string, { version?: string; optional?: boolean; integrity?: string }>;
}

const root = join(import.meta.dirname, "..");
const notePath = join(root, "node_modules/.package-lock.json");

function isCurrent(): boolean {
  if (!existsSync(notePath)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
  const installed = JSON.parse(readFileSync(notePath, "utf8")) as Lock;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    const found = installed.packages[path];
    if (path === "" || (entry.optional && found === undefined)) return true;
    return found?.version === entry.version && (!entry.integrity || found?.integrity === entry.integrity);
  });
}

process.exitCode = isCurrent() ? 0 : 1;
