import { mkdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type CommandOptions, type CommandResult } from "../util/run-command.ts";
import { filesOfEnvironment, sandboxed } from "./build-sandbox.ts";
import { registriesWithDockerHub } from "./registries.ts";

/** Below this share of free disk, layers that no image's last build uses are given up. */
const LOW_DISK_SHARE = 0.15;

export interface ConfinedOptions extends Omit<CommandOptions, "env" | "killSignal"> {
  /** Directory of this build's own files, writable. */
  readonly work: string;
  /** Further files the command needs to see. */
  readonly readOnly?: readonly string[];
}

/** Buildah with a storage of this home's own; several builds may use it at once. */
export class Buildah {
  readonly #storage: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #directory: string;
  /** Why steps run unconfined; undefined where the sandbox works. */
  unconfined: unknown;

  private constructor(directory: string, storage: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#directory = directory;
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
    const driver = await chooseDriver(storage, join(directory, "driver"), withRegistries);
    const buildah = new Buildah(directory, [...storage, driver], withRegistries);
    await buildah.#tryConfinement();
    return buildah;
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand("buildah", [...this.#storage, ...args], { env: this.#environment, ...options });
  }

  /** Runs what may execute a Dockerfile's steps: away from the host's processes, disks and files. */
  async runConfined(
    args: readonly string[],
    { work, readOnly = [], ...options }: ConfinedOptions,
  ): Promise<CommandResult> {
    if (this.unconfined !== undefined) return this.run(args, options);
    const places = {
      work,
      writable: [this.#directory, work],
      readOnly: [...filesOfEnvironment(this.#environment), ...readOnly],
    };
    const [program = "", ...rest] = await sandboxed(["buildah", ...this.#storage, ...args], places);
    return runCommand(program, rest, {
      env: { ...this.#environment, TMPDIR: "/var/tmp" },
      killSignal: "SIGKILL",
      ...options,
    });
  }

  async #tryConfinement(): Promise<void> {
    const work = join(this.#directory, "probe");
    await this.runConfined(["--version"], { work }).catch((cause: unknown) => {
      this.unconfined = cause;
    });
    await rm(work, { recursive: true, force: true });
  }

  async line(...args: string[]): Promise<string> {
    return (await this.run(args)).stdout.trim();
  }

  /** Removes working containers and mounts that an earlier, killed build left. Only while no build runs. */
  async removeLeftovers(): Promise<void> {
    await this.run(["umount", "--all"]).catch(() => {});
    await this.run(["rm", "--all"]).catch(() => {});
  }

  /** Gives up cached layers of builds that a newer one replaced, when the disk gets low. Only while no build runs. */
  async pruneWhenLow(): Promise<void> {
    const { bavail, blocks } = await statfs(this.#directory);
    if (bavail / blocks < LOW_DISK_SHARE) await this.run(["rmi", "--prune"]).catch(() => {});
  }
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
