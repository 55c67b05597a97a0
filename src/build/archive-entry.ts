import { posix } from "node:path";

/** Bounds on an artifact; a zip bomb meets them before it fills the disk. */
export const ARCHIVE_LIMITS = {
  maxEntries: 200_000,
  maxUnpackedBytes: 10 * 1024 ** 3,
  maxPathBytes: 4096,
  maxSymlinkBytes: 4096,
  /** Folders within folders; entries times depth is the work an archive can ask for. */
  maxDepth: 200,
} as const;

export type EntryKind = "file" | "directory" | "symlink";

export interface ArchiveEntry {
  /** Relative, normalized, without trailing slash. */
  readonly path: string;
  readonly kind: EntryKind;
  /** Permission bits; never set-user-id, set-group-id or sticky. */
  readonly mode: number;
}

export interface RawEntry {
  readonly fileName: string;
  /** Upper half: Unix mode when the archive was made on Unix. */
  readonly externalFileAttributes: number;
  readonly versionMadeBy: number;
  readonly isEncrypted: boolean;
}

const UNIX = 3;
const MACOS = 19;
const TYPE_MASK = 0o170000;
const TYPES: Readonly<Record<number, EntryKind>> = { 0o100000: "file", 0o040000: "directory", 0o120000: "symlink" };

/** Checks one entry of a hostile archive; a string says why it is refused. */
export function readEntry(raw: RawEntry): ArchiveEntry | string {
  const name = raw.fileName;
  if (raw.isEncrypted) return `${show(name)} is encrypted`;
  if (name.includes("\0") || name.includes("\\")) return `${show(name)} has a character no path may have`;
  if (Buffer.byteLength(name) > ARCHIVE_LIMITS.maxPathBytes) return `${show(name)} is too long a path`;
  if (name.split("/").length > ARCHIVE_LIMITS.maxDepth) return `${show(name)} is too deep a path`;
  if (name.startsWith("/") || /^[a-zA-Z]:/.test(name)) return `${show(name)} is an absolute path`;
  if (name.split("/").includes("..")) return `${show(name)} leads out of the archive`;
  const path = posix.normalize(name).replace(/\/$/, "");
  const made = raw.versionMadeBy >>> 8;
  const unixMode = made === UNIX || made === MACOS ? raw.externalFileAttributes >>> 16 : 0;
  const kind = kindOf(name, unixMode);
  if (kind === undefined) return `${show(name)} is neither a file, a directory nor a symbolic link`;
  const permissions = unixMode & 0o777;
  return { path, kind, mode: permissions !== 0 ? permissions : kind === "directory" ? 0o755 : 0o644 };
}

function kindOf(name: string, unixMode: number): EntryKind | undefined {
  if (name.endsWith("/")) return "directory";
  const type = unixMode & TYPE_MASK;
  return type === 0 ? "file" : TYPES[type];
}

/**
 * Whether a symbolic link at `path` stays inside the tree. Steps up are taken only at the start of the target: behind a
 * name that is itself a link they would lead elsewhere than they seem to.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const firstName = parts.findIndex((part) => part !== "..");
  if (firstName !== -1 && parts.indexOf("..", firstName) !== -1) return false;
  return !posix
    .normalize(posix.join(posix.dirname(path), target))
    .split("/")
    .includes("..");
}

/** A link that lies behind another link: where it would end up is not what its path says. */
export function linkBehindLink(paths: readonly string[]): string | undefined {
  const links = new Set(paths);
  return paths.find((path) =>
    path.split("/").some((_part, index, parts) => index > 0 && links.has(parts.slice(0, index).join("/"))),
  );
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
