import { access, constants, readFile, stat, statfs } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import { delimiter, join } from "node:path";
import { loadConfig } from "../config/load-config.ts";
import { searchPath } from "../config/search-path.ts";
import { homePaths } from "../config/paths.ts";
import type { EngineReport } from "../model/engine-report.ts";
import { readServerInfo } from "./server-process.ts";

export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
  /** The exact command that mends it. */
  readonly mend?: string;
}

/** Programs of the host and the Debian package that brings each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  [process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64"]:
    process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86",
  buildah: "buildah",
  mke2fs: "e2fsprogs",
  nft: "nftables",
  ip: "iproute2",
  nsenter: "util-linux",
  cp: "coreutils",
};

const LOW_DISK_BYTES = 5 * 1024 ** 3;

/** Looks at everything Catnap needs from the host; exit code 1 when something is missing. */
export async function doctor(options: { json?: boolean }): Promise<number> {
  const config = loadConfig();
  const findings = (
    await Promise.all([
      checkPrograms(),
      checkRights(),
      checkGuest(config.guestDirectory),
      checkNames(config.domain),
      checkDisk(config.home),
      checkKvm(),
      checkServer(config.home),
      checkEngine(homePaths(config.home).engineReport),
    ])
  ).flat();
  if (options.json === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else {
    for (const { what, ok, detail, mend } of findings) {
      process.stdout.write(`${ok ? "ok     " : "MISSING"} ${what.padEnd(24)} ${detail}\n`);
      if (mend !== undefined) process.stdout.write(`        mend it with: ${mend}\n`);
    }
  }
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

function checkPrograms(): Promise<Finding[]> {
  return Promise.all(
    Object.entries(PROGRAMS).map(async ([program, packageName]) => {
      const found = await findProgram(program);
      return found === undefined
        ? { what: program, ok: false, detail: "not installed", mend: `apt-get install -y ${packageName}` }
        : { what: program, ok: true, detail: found };
    }),
  );
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of [...searchPath().split(delimiter), "/usr/sbin", "/sbin"]) {
    const candidate = join(directory, name);
    if (await isAccessible(candidate, constants.X_OK)) return candidate;
  }
  return undefined;
}

async function checkRights(): Promise<Finding[]> {
  const isRoot = process.getuid?.() === 0;
  const hasTun = await isAccessible("/dev/net/tun", constants.R_OK | constants.W_OK);
  return [
    {
      what: "root",
      ok: isRoot,
      detail: isRoot ? "running as root" : "networks and mounts need root",
      ...(isRoot ? {} : { mend: "sudo -E bin/catnap up" }),
    },
    {
      what: "/dev/net/tun",
      ok: hasTun,
      detail: hasTun ? "usable" : "not usable",
      ...(hasTun ? {} : { mend: "modprobe tun" }),
    },
  ];
}

async function checkGuest(directory: string): Promise<Finding> {
  const missing: string[] = [];
  for (const name of ["vmlinux", "initramfs.cpio"]) {
    if (!(await isAccessible(join(directory, name), constants.R_OK))) missing.push(name);
  }
  if (missing.length === 0) return { what: "guest", ok: true, detail: directory };
  return { what: "guest", ok: false, detail: `${missing.join(", ")} not in ${directory}`, mend: "./dev setup" };
}

/** Endpoint names must resolve to this machine in every client. */
async function checkNames(domain: string): Promise<Finding> {
  const name = `probe.lambda-microvm.us-east-1.${domain}`;
  const address = await lookup(name).then(
    (found) => found.address,
    () => undefined,
  );
  if (address !== undefined) return { what: "endpoint names", ok: true, detail: `*.${domain} is ${address}` };
  const mend =
    domain === "localhost"
      ? "apt-get install -y libnss-myhostname"
      : `add a wildcard DNS record *.${domain} for this machine`;
  return { what: "endpoint names", ok: false, detail: `${name} does not resolve`, mend };
}

async function checkDisk(home: string): Promise<Finding> {
  const place = (await isAccessible(home, constants.R_OK)) ? home : "/";
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(0)} GiB free at ${place}`;
  return {
    what: "disk",
    ok: free > LOW_DISK_BYTES,
    detail,
    ...(free > LOW_DISK_BYTES ? {} : { mend: "free some space, or set CATNAP_HOME to a larger disk" }),
  };
}

/** Never a fault: without hardware virtualization Catnap emulates, slower. The server decides by a timed boot. */
async function checkKvm(): Promise<Finding> {
  const flags =
    process.arch === "arm64" || /^flags\s*:.*\b(?:vmx|svm)\b/m.test(await readFile("/proc/cpuinfo", "utf8"));
  const device = await isAccessible("/dev/kvm", constants.R_OK | constants.W_OK);
  const detail = flags && device ? "offered; measured at start" : "not offered by this host: plain emulation is used";
  return { what: "hardware virtualization", ok: true, detail };
}

async function checkServer(home: string): Promise<Finding> {
  const info = await readServerInfo(homePaths(home).serverInfo);
  return {
    what: "server",
    ok: true,
    detail: info === undefined ? "not running (catnap up)" : `running, ${info.acceleration}, ${info.apiUrl}`,
  };
}

/** Never a fault: nothing is lost by a changed engine, but images are snapshotted again, which takes a while. */
async function checkEngine(file: string): Promise<Finding> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return { what: "engine", ok: true, detail: "none used yet" };
  const { engine, hostFiles, uses } = JSON.parse(text) as EngineReport;
  const total = (name: "images" | "microvms", but?: string) =>
    Object.entries(uses).reduce((sum, [fingerprint, use]) => sum + (fingerprint === but ? 0 : use[name]), 0);
  const changed: string[] = [];
  for (const { path, bytes, modifiedMs } of hostFiles) {
    const now = await stat(path).catch(() => undefined);
    if (now?.size !== bytes || now.mtimeMs !== modifiedMs) changed.push(path);
  }
  const detail =
    changed.length > 0
      ? `changed since the last start (${changed.join(", ")}): the next start snapshots ${total("images")} image versions again; ${total("microvms")} microVMs keep the engine they have`
      : `${engine}; ${total("microvms", engine)} microVMs and ${total("images", engine)} image versions are of former ones, which are kept`;
  return { what: "engine", ok: true, detail };
}

function isAccessible(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
