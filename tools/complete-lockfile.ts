/**
 * Native tools come as one optional package per platform. A registry that lacks some of them leaves holes in
 * package-lock.json, and `npm ci` then refuses the whole file on every machine. This fills the holes with entries that
 * npm skips on other platforms (version, os, cpu, libc; no integrity, as none was seen), and drops registry addresses.
 *
 *   node tools/complete-lockfile.ts          writes package-lock.json
 *   node tools/complete-lockfile.ts --check  only says whether it is complete; exit 1 if not
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  version?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

type LockedPackages = Record<string, LockedPackage>;

const OPERATING_SYSTEMS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];
const LIBRARIES: Record<string, string> = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

function platformOf(packageName: string): Pick<LockedPackage, "os" | "cpu" | "libc"> | undefined {
  const words = packageName.split(/[-/]/);
  const os = words.filter((word) => OPERATING_SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  const libc = words.flatMap((word) => LIBRARIES[word] ?? []);
  if (os.length === 0) return undefined;
  return { ...(libc.length > 0 && { libc }), os, ...(cpu.length > 0 && { cpu }) };
}

function isLocked(packages: LockedPackages, owner: string, name: string): boolean {
  const folders = owner.split("/node_modules/");
  const nested = folders.map(
    (_, depth) => `${folders.slice(0, depth + 1).join("/node_modules/")}/node_modules/${name}`,
  );
  return [`node_modules/${name}`, ...nested].some((path) => packages[path] !== undefined);
}

function findHoles(packages: LockedPackages): LockedPackages {
  const holes: LockedPackages = {};
  for (const [owner, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const platform = platformOf(name);
      if (platform === undefined || !/^\d/.test(version) || isLocked(packages, owner, name)) continue;
      holes[`node_modules/${name}`] = { version, ...(entry.dev && { dev: true }), optional: true, ...platform };
    }
  }
  return holes;
}

const lockPath = join(import.meta.dirname, "..", "package-lock.json");
const lock = JSON.parse(readFileSync(lockPath, "utf8")) as { packages: LockedPackages };
const holes = findHoles(lock.packages);
const addressed = Object.values(lock.packages).filter((entry) => entry.resolved !== undefined);

if (Object.keys(holes).length === 0 && addressed.length === 0) {
  console.log("package-lock.json is complete.");
} else if (process.argv.includes("--check")) {
  console.error(
    `package-lock.json lacks ${Object.keys(holes).length} platform packages and names ${addressed.length} registry addresses.`,
  );
  console.error("Run: ./dev node tools/complete-lockfile.ts");
  process.exitCode = 1;
} else {
  for (const entry of addressed) delete entry.resolved;
  const { "": root, ...others } = { ...lock.packages, ...holes };
  const sorted = Object.entries(others).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  lock.packages = { ...(root && { "": root }), ...Object.fromEntries(sorted) };
  writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(
    `package-lock.json: added ${Object.keys(holes).length} platform packages, dropped ${addressed.length} addresses.`,
  );
}
