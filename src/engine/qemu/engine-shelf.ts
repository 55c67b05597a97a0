import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../util/run-command.ts";
import type { Acceleration } from "./acceleration.ts";
import { parseMonitorVersion, type MonitorVersion } from "./jail.ts";
import {
  damagedFiles,
  describeEngine,
  INITRAMFS,
  keepEngine,
  KERNEL,
  readEngine,
  type EngineDescription,
  type KeptEngine,
} from "./kept-engine.ts";

/** How a monitor is started. */
export interface UsableEngine {
  readonly fingerprint: string;
  readonly formerFingerprint: string | undefined;
  readonly acceleration: Acceleration;
  readonly program: string;
  readonly version: MonitorVersion;
  readonly kernel: string;
  readonly initramfs: string;
  /** With placeholders. */
  readonly cloneArguments: readonly string[];
  /** Before all others. */
  readonly ownArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The engines that this home's snapshots were made with, a directory each, named by fingerprint. */
export class EngineShelf {
  readonly current: UsableEngine;
  readonly #directory: string;
  readonly #found = new Map<string, Promise<UsableEngine | undefined>>();

  private constructor(directory: string, current: UsableEngine) {
    this.#directory = directory;
    this.current = current;
  }

  /** Puts the host's engine beside those of before. Where nothing may run from the home, the host's own is used. */
  static async open(directory: string, description: EngineDescription): Promise<EngineShelf> {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const manifest = await describeEngine(description);
    const kept = await keepEngine(join(directory, manifest.fingerprint), manifest, description.parts);
    const current = (await makeUsable(kept)) ?? fromHost(kept, description);
    return new EngineShelf(directory, current);
  }

  /** The engine of a snapshot; undefined when it is not kept here, is damaged, or does not run on this host any more. */
  find(fingerprint: string): Promise<UsableEngine | undefined> {
    const { current } = this;
    if (fingerprint === current.fingerprint || fingerprint === current.formerFingerprint)
      return Promise.resolve(current);
    const found = this.#found.get(fingerprint);
    if (found !== undefined) return found;
    const looking = this.#look(fingerprint);
    this.#found.set(fingerprint, looking);
    // What is missing today may be back tomorrow.
    const forget = (): void => void this.#found.delete(fingerprint);
    looking.then((engine) => engine ?? forget(), forget);
    return looking;
  }

  /** Removes the engines of snapshots that are no more, and what a crash left half made. */
  async removeAllBut(fingerprints: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (name === this.current.fingerprint || fingerprints.has(name)) continue;
      const kept = await readEngine(join(this.#directory, name));
      if (kept?.manifest.formerFingerprint !== undefined && fingerprints.has(kept.manifest.formerFingerprint)) continue;
      this.#found.delete(name);
      await rm(join(this.#directory, name), { recursive: true, force: true });
    }
  }

  async #look(fingerprint: string): Promise<UsableEngine | undefined> {
    for (const name of await readdir(this.#directory)) {
      const kept = await readEngine(join(this.#directory, name));
      const { manifest } = kept ?? {};
      if (kept === undefined || (name !== fingerprint && manifest?.formerFingerprint !== fingerprint)) continue;
      return (await damagedFiles(kept)).length === 0 ? makeUsable(kept) : undefined;
    }
    return undefined;
  }
}

/** With the host's libraries where they still fit, since those get security updates; else with those of its time. */
async function makeUsable(kept: KeptEngine): Promise<UsableEngine | undefined> {
  const { directory, manifest } = kept;
  const program = join(directory, manifest.program);
  const modules = { QEMU_MODULE_DIR: join(directory, "modules") };
  const environments = [modules, { ...modules, LD_LIBRARY_PATH: join(directory, "libraries") }];
  for (const environment of environments) {
    const runs = await runCommand(program, ["-accel", "help"], { env: environment }).then(
      ({ stdout }) => stdout.split("\n").includes(manifest.acceleration),
      () => false,
    );
    if (runs) return usable(kept, { program, environment });
  }
  return undefined;
}

function fromHost(kept: KeptEngine, { parts }: EngineDescription): UsableEngine {
  const program = parts.find(({ name }) => name === kept.manifest.program)?.from ?? kept.manifest.program;
  return usable(kept, { program, environment: {} });
}

function usable(
  { directory, manifest }: KeptEngine,
  { program, environment }: Pick<UsableEngine, "program" | "environment">,
): UsableEngine {
  const places = [join(directory, "firmware"), ...manifest.firmwarePlaces];
  return {
    fingerprint: manifest.fingerprint,
    formerFingerprint: manifest.formerFingerprint,
    acceleration: manifest.acceleration,
    program,
    version: parseMonitorVersion(manifest.version),
    kernel: join(directory, KERNEL),
    initramfs: join(directory, INITRAMFS),
    cloneArguments: manifest.cloneArguments,
    ownArguments: places.flatMap((place) => ["-L", place]),
    environment,
  };
}
