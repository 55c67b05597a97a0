import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Authorizer } from "../auth/authorizer.ts";
import { hostEnvironment } from "../config/host-environment.ts";
import type { Config } from "../config/options.ts";
import type { HomePaths } from "../config/paths.ts";
import { ENGINE_FILES, type TemplateFiles } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import { sizeTier } from "../model/sizes.ts";
import type { SlotLease } from "../network/slot-pool.ts";
import type { Log } from "../observability/log.ts";
import { must } from "../util/assert.ts";
import { Cleanup } from "../util/cleanup.ts";
import { isDiskFull, type DiskReserve, type DiskWatch } from "../util/disk-reserve.ts";
import type { ObjectReader } from "./artifact-source.ts";
import { parseBaseImages } from "./base-images.ts";
import { BuildLog } from "./build-log.ts";
import { Buildah } from "./buildah.ts";
import { bootAndSnapshot, type BootTools } from "./cold-boot.ts";
import { buildContainer } from "./container-build.ts";
import { makeRootfs, makeUpperDisk } from "./disk-images.ts";
import { fetchArtifact } from "./fetch-artifact.ts";
import { describeImage } from "./image-config.ts";
import type { BuildOutcome, BuildRequest, BuiltImage, ImageBuilder, SnapshotSizes } from "./image-builder.ts";
import { requireDockerfile, unpackArchive } from "./unpack-archive.ts";
import { validateSnapshot } from "./validate-snapshot.ts";

export interface ImageBuilderTools extends Pick<BootTools, "engine" | "openLink"> {
  readonly acquireSlot: () => Promise<SlotLease>;
  /** Lets the machine in a slot ask for the build role's credentials; the result ends that. */
  readonly admit: (slot: number, build: BuildRequest) => () => void;
  readonly objects: ObjectReader;
  readonly authorizer: Authorizer;
  readonly config: Config;
  readonly paths: HomePaths;
  readonly log: Log;
  readonly disk: DiskReserve;
}

/** For everything but the hooks, which have limits of their own. */
const BUILD_LIMIT_MS = 30 * 60 * 1000;

const TAG_PREFIX = "localhost/catnap/";

/** One name an image: only its last build's layers are kept for sure. */
function tagOf(imageArn: string): string {
  return `${TAG_PREFIX}${createHash("sha256").update(imageArn).digest("hex").slice(0, 32)}`;
}

/** Opens the builder of this home; leftovers of builds that a crash interrupted are removed first. */
export async function createImageBuilder(tools: ImageBuilderTools): Promise<ImageBuilder> {
  parseBaseImages(tools.config.baseImages); // a bad setting is told at the start, not at the first build
  const buildah = await Buildah.open(tools.paths.containerStorage, hostEnvironment());
  await buildah.removeLeftovers();
  await buildah.pruneWhenLow();
  await rm(tools.paths.buildWork, { recursive: true, force: true });
  return {
    build: (request, signal) => runBuild({ tools, buildah, request, signal }, (build) => build.run()),
    renew: (request, image, signal) => runBuild({ tools, buildah, request, signal }, (build) => build.renew(image)),
    keepOnly: (imageArns) => buildah.keepOnly(TAG_PREFIX, new Set(imageArns.map(tagOf))),
    close: () => buildah.unmount(),
  };
}

async function runBuild(
  { tools, buildah, request, signal }: Pick<BuildParts, "tools" | "buildah" | "request" | "signal">,
  phases: (build: Build) => Promise<BuildOutcome>,
): Promise<BuildOutcome> {
  const { ready = 0, validate = 0 } = request.hooks ?? {};
  const limitMs = BUILD_LIMIT_MS + (ready + validate) * 1000;
  const limit = AbortSignal.timeout(limitMs);
  const disk = tools.disk.watch();
  const work = join(tools.paths.buildWork, request.buildId);
  await Promise.all([
    mkdir(join(work, "context"), { recursive: true, mode: 0o700 }),
    mkdir(request.directory, { recursive: true, mode: 0o700 }),
  ]);
  const log = new BuildLog(request.logFile, request.onLine);
  const cleanup = new Cleanup();
  cleanup.add(() => rm(work, { recursive: true, force: true }));
  try {
    await tools.disk.requireRoom();
    const parts = { tools, buildah, request, log, work, signal: AbortSignal.any([signal, limit, disk.signal]) };
    return await phases(new Build(parts));
  } catch (cause) {
    cleanup.add(() => removeAllBut(request.logFile, request.directory));
    const failure =
      (await explainFullDisk(cause, tools.disk, disk)) ?? explain(cause, limit.aborted ? limitMs : undefined);
    log.line(`failed: ${failure instanceof BuildFailure ? failure.reason : String(failure)}`);
    throw failure;
  } finally {
    disk.stop();
    await log.close();
    for (const error of await cleanup.run())
      tools.log.warn({ err: error, buildId: request.buildId }, "a build left something behind");
  }
}

interface BuildParts {
  readonly tools: ImageBuilderTools;
  readonly buildah: Buildah;
  readonly request: BuildRequest;
  readonly log: BuildLog;
  readonly work: string;
  readonly signal: AbortSignal;
}

/** What a template is made of, beside the request. */
type TemplateSource = Pick<BuiltImage, "rootfs" | "container" | "hooks">;

/** One build: its phases in order. */
class Build {
  readonly #parts: BuildParts;

  constructor(parts: BuildParts) {
    this.#parts = parts;
  }

  async run(): Promise<BuildOutcome> {
    const { tools, buildah, request, log, work, signal } = this.#parts;
    const { architecture } = tools.engine.capabilities;
    if (request.preface !== undefined) log.line(request.preface);
    log.line(`built for ${architecture}, the architecture of this host`);
    const others = request.architectures.filter((wanted) => wanted !== architecture);
    if (others.length > 0) log.line(`not for ${others.join(", ")}, which the image asks for`);
    const archive = join(work, "artifact.zip");
    const context = join(work, "context");
    const tag = tagOf(request.imageArn);
    await this.#phase("fetch", () =>
      fetchArtifact({ objects: tools.objects, authorizer: tools.authorizer, log, signal }, request, archive),
    );
    await this.#phase("unpack", async () => {
      const { entries, bytes } = await unpackArchive(archive, context, signal);
      log.line(`${entries} entries, ${bytes} bytes`);
      await requireDockerfile(context);
    });
    const imageId = await this.#phase("container build", () =>
      buildContainer({
        buildah,
        log,
        signal,
        work,
        context,
        tag,
        baseImages: parseBaseImages(tools.config.baseImages),
        caBundle: tools.config.buildCaBundle,
      }),
    );
    const image = await describeImage(buildah, imageId, request.environment);
    const container = { ...image.container, allCapabilities: request.allCapabilities };
    const rootfs = await this.#phase("disk images", () =>
      makeRootfs(buildah, imageId, image.layers, tools.paths.rootfs),
    );
    return this.#makeTemplate({ rootfs, container, hooks: request.hooks });
  }

  /** No artifact, no Dockerfile, no registry: what an image is was settled when it was built. */
  renew({ rootfs, container, hooks }: BuiltImage): Promise<BuildOutcome> {
    const { request, log } = this.#parts;
    if (request.preface !== undefined) log.line(request.preface);
    return this.#makeTemplate({ rootfs, container, hooks });
  }

  async #makeTemplate({ rootfs, container, hooks }: TemplateSource): Promise<BuildOutcome> {
    const { tools, request, log, signal } = this.#parts;
    const tier = must(sizeTier(request.memoryMiB), `a size tier of ${request.memoryMiB} MiB`);
    await makeUpperDisk(tools.paths.emptyDisks, tier.diskBytes, join(request.directory, ENGINE_FILES.upper));
    const readyLimitMs = tools.config.readyTimeoutSeconds * 1000;
    const boot: BootTools = { ...tools, acquireSlot: () => this.#acquireSlot(), log, signal, readyLimitMs };
    const { template, isFrozen, outputOffset } = await tellInstalled(rootfs, async () => {
      const snapshot = await this.#phase("boot and snapshot", () =>
        bootAndSnapshot(boot, { directory: request.directory, rootfs, container, tier, hooks }),
      );
      if (hooks?.validate !== undefined)
        await this.#phase("validate", () => validateSnapshot(boot, { ...snapshot, rootfs, hooks }));
      return snapshot;
    });
    return {
      image: { template, isFrozen, outputOffset, rootfs, container, hooks },
      sizes: await measureSizes(template, rootfs),
    };
  }

  async #acquireSlot(): Promise<SlotLease> {
    const { tools, request } = this.#parts;
    const slot = await tools.acquireSlot();
    try {
      await slot.setEgress(request.egress);
      const dismiss = tools.admit(slot.number, request);
      return {
        ...slot,
        release: () => {
          dismiss();
          return slot.release();
        },
      };
    } catch (cause) {
      await slot.release();
      throw cause;
    }
  }

  async #phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { log, signal } = this.#parts;
    signal.throwIfAborted();
    log.line(`== ${name}`);
    const begun = performance.now();
    const result = await work();
    log.line(`== ${name}: done in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    return result;
  }
}

/** A build that fails from here on tells how much code it had installed (contract 3.3). */
async function tellInstalled<T>(rootfs: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof BuildFailure)) throw cause;
    const { failureCode, reason } = cause;
    throw new BuildFailure(failureCode, reason, { cause, codeInstallBytes: await bytesOnDisk(rootfs) });
  }
}

/** Holes are not counted. */
async function bytesOnDisk(file: string): Promise<number> {
  return (await stat(file)).blocks * 512;
}

/** Contract 3.3. */
async function measureSizes(template: TemplateFiles, rootfs: string): Promise<SnapshotSizes> {
  const files = [
    join(template.directory, ENGINE_FILES.templateMemory),
    rootfs,
    join(template.directory, ENGINE_FILES.templateUpper),
  ];
  const [memory, code, disk] = await Promise.all(files.map(bytesOnDisk));
  return { memorySnapshotSizeInBytes: memory, codeInstallSizeInBytes: code, diskSnapshotSizeInBytes: disk };
}

/** A full disk makes anything fail, often without a word about it: a monitor just dies. */
async function explainFullDisk(
  cause: unknown,
  reserve: DiskReserve,
  { signal }: DiskWatch,
): Promise<BuildFailure | undefined> {
  const full: unknown = signal.aborted ? signal.reason : cause;
  if (!isDiskFull(full) && !(await reserve.isExhausted())) return undefined;
  const advice = "the disk of this host is full. Make room, then build again";
  const words = full instanceof AppError && full.code === "ERR_DISK_FULL" ? full.message : advice;
  const context = cause instanceof BuildFailure ? ` (${cause.reason})` : "";
  return new BuildFailure("DISK_STORAGE_FULL", `DISK_STORAGE_FULL: ${words}${context}`, { cause });
}

/** `overMs`: the limit that was passed, if it was. */
function explain(cause: unknown, overMs: number | undefined): unknown {
  if (cause instanceof BuildFailure) return cause;
  if (overMs !== undefined)
    return new BuildFailure(
      "CONTAINER_BUILD_FAILED",
      `The container image build failed. It took longer than ${Math.round(overMs / 60_000)} minutes and was stopped.`,
      { cause },
    );
  return cause;
}

async function removeAllBut(kept: string, directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (join(directory, name) !== kept) await rm(join(directory, name), { recursive: true, force: true });
  }
}
