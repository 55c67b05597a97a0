import { mkdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type CommandOptions, type CommandResult } from "../util/run-command.ts";
import { registriesWithDockerHub } from "./registries.ts";

/** Below this share of free disk, layers that no image's last build uses are given up. */
const LOW_DISK_SHARE = 0.15;

/** Ends a tool together with the server, however that ends: the next one would work on the same storage beside it. */
const WITH_SERVER = ["setpriv", "--pdeathsig", "KILL"];
/** Whatever a build's steps start and mount is gone with buildah, even when that is killed. */
const WITH_ALL_IT_MADE = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

/** Buildah with a storage of this home's own; several builds may use it at once. */
export class Buildah {
  readonly #storage: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #root: string;

  private constructor(root: string, storage: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#root = root;
    this.#storage = storage;
    this.#environment = environment;
  }

  /** `environment` is all that buildah sees: PATH, proxies, registry logins. */
  static async open(directory: string, environment: Readonly<Record<string, string>>): Promise<Buildah> {
    const [root, run] = [join(directory, "storage"), join(directory, "run")];
    await Promise.all([mkdir(root, { recursive: true, mode: 0o700 }), mkdir(run, { recursive: true, mode: 0o700 })]);
    const registries = await registriesWithDockerHub();
    const file = join(directory, "registries.conf");
    if (registries !== undefined) await writeFile(file, registries);
    const withRegistries =
      registries === undefined ? environment : { ...environment, CONTAINERS_REGISTRIES_CONF: file };
    const storage = ["--root", root, "--runroot", run, "--storage-driver"];
    return new Buildah(
      root,
      [...storage, await chooseDriver(storage, join(directory, "driver"), withRegistries)],
      withRegistries,
    );
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.#runAs([...WITH_SERVER, "buildah"], args, options);
  }

  /** Steps of a Dockerfile, in namespaces of their own. */
  build(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.#runAs([...WITH_SERVER, ...WITH_ALL_IT_MADE, "buildah"], ["bud", ...args], options);
  }

  #runAs([program = "", ...before]: readonly string[], args: readonly string[], options: CommandOptions) {
    return runCommand(program, [...before, ...this.#storage, ...args], { env: this.#environment, ...options });
  }

  async line(...args: string[]): Promise<string> {
    return (await this.run(args)).stdout.trim();
  }

  /** Removes working containers and mounts that an earlier, killed build left. Only while no build runs. */
  async removeLeftovers(): Promise<void> {
    await this.run(["umount", "--all"]).catch(() => {});
    await this.run(["rm", "--all"]).catch(() => {});
    await this.unmount();
  }

  /** Takes away what commands that were killed left mounted, the storage on itself among it. Only while none runs. */
  async unmount(): Promise<void> {
    const mounted = mountsBelow(this.#root, await readFile("/proc/self/mountinfo", "utf8"));
    for (const mount of mounted.toReversed()) await runCommand("umount", ["--lazy", mount]).catch(() => {});
  }

  /** Gives up the images, with their layers, whose name begins so and is not among these. Only while no build runs. */
  async keepOnly(prefix: string, names: ReadonlySet<string>): Promise<void> {
    const listed = await this.line("images", "--format", "{{.Name}}");
    const unused = listed.split("\n").filter((name) => name.startsWith(prefix) && !names.has(name));
    if (unused.length > 0) await this.run(["rmi", "--force", ...unused]);
  }

  /** Gives up cached layers of builds that a newer one replaced, when the disk gets low. Only while no build runs. */
  async pruneWhenLow(): Promise<void> {
    const { bavail, blocks } = await statfs(this.#root);
    if (bavail / blocks < LOW_DISK_SHARE) await this.run(["rmi", "--prune"]).catch(() => {});
  }
}

/** Mount points below a directory, in the order they were made (proc(5)). */
function mountsBelow(directory: string, mountInfo: string): string[] {
  const points = mountInfo.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`));
}

/** Overlay, or vfs (slow, copies every layer) where the kernel cannot stack overlays; decided once, since a storage keeps its driver. */
async function chooseDriver(storage: readonly string[], file: string, env: Record<string, string>): Promise<string> {
  const decided = await readFile(file, "utf8").catch(() => "");
  if (decided !== "") return decided;
  const driver = await runCommand("buildah", [...storage, "overlay", "info"], { env }).then(
    () => "overlay",
    () => "vfs",
  );
  // a host without buildah decides nothing
  if (driver === "vfs") await runCommand("buildah", [...storage, "vfs", "info"], { env });
  await writeFile(file, driver);
  return driver;
}
