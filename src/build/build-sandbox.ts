import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Buildah's chroot isolation, the one that works where no container runtime does, is no wall: a step sees the host's
 * processes and may signal them, and leaves a chroot with one system call. So buildah itself runs in a small world:
 * PID and mount namespaces of its own, a root that holds programs, the image storage, this build and little else, and a
 * /dev without the host's disks. Killing it ends every process of the build; so does the end of this server.
 */
export interface SandboxPlaces {
  /** Directory of this build's own files. */
  readonly work: string;
  readonly writable: readonly string[];
  /** Left out where the host has none. */
  readonly readOnly: readonly string[];
}

/** What programs need of the host's /etc: name resolution, certificates, registries, users by name. */
const ETC = [
  "alternatives",
  "ca-certificates",
  "containers",
  "crypto-policies",
  "group",
  "gnutls",
  "host.conf",
  "hosts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "nsswitch.conf",
  "passwd",
  "pki",
  "resolv.conf",
  "ssl",
  "subgid",
  "subuid",
];

/** The program and arguments that run `command` in the sandbox. */
export async function sandboxed(command: readonly string[], places: SandboxPlaces): Promise<string[]> {
  const [root, temporary] = [join(places.work, "root"), join(places.work, "tmp")];
  await Promise.all([mkdir(root, { recursive: true }), mkdir(temporary, { recursive: true })]);
  const readOnly = [...ETC.map((name) => `/etc/${name}`), ...places.readOnly];
  const lists = [
    root,
    temporary,
    String(places.writable.length),
    ...places.writable,
    String(readOnly.length),
    ...readOnly,
  ];
  return [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "/bin/sh",
    "-euc",
    SCRIPT,
    "catnap-build",
    ...lists,
    ...command,
  ];
}

/** Files that buildah finds by itself or by its environment: registry logins, certificates. */
export function filesOfEnvironment(environment: Readonly<Record<string, string>>): string[] {
  const { HOME: home = homedir(), XDG_RUNTIME_DIR: runtime = "/run/containers/0" } = environment;
  const named = ["REGISTRY_AUTH_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"].flatMap((name) => environment[name] ?? []);
  return [
    join(home, ".docker/config.json"),
    join(home, ".config/containers"),
    join(runtime, "containers/auth.json"),
    "/run/containers/0/auth.json",
    ...named,
  ].filter(isOutsideEtc);
}

/** Those below are shown with their folder. */
function isOutsideEtc(file: string): boolean {
  return file.startsWith("/") && !/^\/(?:etc|usr|bin|lib)\//.test(file);
}

/** Arguments: root, temporary folder, a count and so many writable paths, a count and so many read-only ones, the command. */
const SCRIPT = `
root=$1; temporary=$2; shift 2
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root"
show() { # mode source target; what the host does not have is left out
  [ -e "$2" ] || return 0
  if [ -d "$2" ]; then mkdir -p "$root$3"; else mkdir -p "$root\${3%/*}"; : > "$root$3"; fi
  mount -o "bind,$1" "$2" "$root$3"
}
mkdir "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/root" "$root/old"
for top in usr bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$top" ]; then cp -P "/$top" "$root/$top"; else show ro "/$top" "/$top"; fi
done
show rw "$temporary" /var/tmp
show rw "$temporary" /tmp
count=$1; shift
while [ "$count" -gt 0 ]; do show rw "$1" "$1"; shift; count=$((count - 1)); done
count=$1; shift
while [ "$count" -gt 0 ]; do show ro "$1" "$1"; shift; count=$((count - 1)); done
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=755,nosuid,noexec tmpfs "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
exec "$@"
`;
