import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AWS, mustRun, PROJECT, runProgram, type ProgramResult } from "./project.ts";

/** The AWS CLI against one server, in a scratch folder that holds the app's files. */
export class AwsCli {
  readonly folder: string;
  readonly #env: () => Record<string, string>;

  private constructor(folder: string, env: () => Record<string, string>) {
    this.folder = folder;
    this.#env = env;
  }

  static async open(env: () => Record<string, string>): Promise<AwsCli> {
    return new AwsCli(await mkdtemp(join(tmpdir(), "catnap-aws-")), env);
  }

  async run(...args: string[]): Promise<string> {
    return (await mustRun(AWS, args, { env: this.#env(), cwd: this.folder })).trim();
  }

  attempt(...args: string[]): Promise<ProgramResult> {
    return runProgram(AWS, args, { env: this.#env(), cwd: this.folder });
  }

  /** A shell line, for what walkthroughs type that is not the AWS CLI. */
  async shell(line: string): Promise<string> {
    return (await mustRun("bash", ["-euo", "pipefail", "-c", line], { env: this.#env(), cwd: this.folder })).trim();
  }

  /** Puts the files of test/apps/<name> into the folder, with BUCKET in policies replaced. */
  async useApp(name: string, bucket: string): Promise<void> {
    const from = join(PROJECT, "test/apps", name);
    for (const file of await readdir(from)) {
      if (!file.endsWith("-policy.json")) await copyFile(join(from, file), join(this.folder, file));
      else
        await writeFile(
          join(this.folder, file),
          (await readFile(join(from, file), "utf8")).replaceAll("BUCKET", bucket),
        );
    }
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
