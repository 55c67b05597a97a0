import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type CommandOptions, type CommandResult } from "../util/run-command.ts";

/** Buildah with a storage of this home's own; several builds may use it at once. */
export class Buildah {
  readonly #storage: string[];

  private constructor(storage: string[]) {
    this.#storage = storage;
  }

  static async open(directory: string): Promise<Buildah> {
    const [root, run] = [join(directory, "storage"), join(directory, "run")];
    await Promise.all([mkdir(root, { recursive: true, mode: 0o700 }), mkdir(run, { recursive: true, mode: 0o700 })]);
    return new Buildah(["--root", root, "--runroot", run, "--storage-driver", "overlay"]);
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand("buildah", [...this.#storage, ...args], options);
  }

  async line(...args: string[]): Promise<string> {
    return (await this.run(args)).stdout.trim();
  }

  /** Removes working containers and mounts that an earlier, killed build left. */
  async removeLeftovers(): Promise<void> {
    await this.run(["umount", "--all"]).catch(() => {});
    await this.run(["rm", "--all"]).catch(() => {});
  }
}
