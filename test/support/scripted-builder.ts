import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuildOutcome, BuildRequest, BuiltImage, ImageBuilder } from "../../src/build/image-builder.ts";
import { ENGINE_FILES } from "../../src/engine/engine.ts";

/** Builds by the test's word: writes the files a build leaves, or throws. */
export class ScriptedBuilder implements ImageBuilder {
  readonly requests: BuildRequest[] = [];
  /** Content address of the rootfs of the next builds. */
  rootfsName = "sha256-a";
  next: (request: BuildRequest, signal: AbortSignal) => Promise<void> = async () => {};
  /** Of the engine that its templates are made with. */
  fingerprint = "test";
  /** Images whose layers were spared, once others were given up. */
  kept: readonly string[] | undefined;
  readonly #rootfs: string;

  constructor(rootfs: string) {
    this.#rootfs = rootfs;
  }

  async build(request: BuildRequest, signal: AbortSignal): Promise<BuildOutcome> {
    this.requests.push(request);
    await this.next(request, signal);
    const rootfs = join(this.#rootfs, this.rootfsName);
    await mkdir(this.#rootfs, { recursive: true });
    await writeFile(rootfs, "ext4");
    return this.#makeTemplate(request, rootfs);
  }

  async renew(request: BuildRequest, image: BuiltImage, signal: AbortSignal): Promise<BuildOutcome> {
    this.requests.push(request);
    await this.next(request, signal);
    return this.#makeTemplate(request, image.rootfs);
  }

  async close(): Promise<void> {}

  async keepOnly(imageArns: readonly string[]): Promise<void> {
    this.kept = imageArns;
  }

  async #makeTemplate(request: BuildRequest, rootfs: string): Promise<BuildOutcome> {
    await writeFile(join(request.directory, ENGINE_FILES.templateMemory), "memory");
    await writeFile(join(request.directory, ENGINE_FILES.templateUpper), "0");
    const shape = { memoryMiB: request.memoryMiB * 4, vcpus: 1 };
    return {
      image: {
        template: { directory: request.directory, shape, fingerprint: this.fingerprint },
        rootfs,
        container: {
          argv: ["app"],
          env: {},
          workingDir: "/",
          user: "",
          exposedTcpPorts: [],
          stopSignal: 15,
          allCapabilities: request.allCapabilities,
        },
      },
      sizes: { memorySnapshotSizeInBytes: 3, codeInstallSizeInBytes: 2, diskSnapshotSizeInBytes: 1 },
    };
  }
}
