import type { ImageBuilder } from "../build/image-builder.ts";
import type { HomePaths } from "../config/paths.ts";
import type { Log } from "../observability/log.ts";
import { listUnfinishedBuilds, type VersionKey } from "../store/build-store.ts";
import { listImagesInState } from "../store/image-store.ts";
import type { Store } from "../store/store.ts";
import { listVersionsInState } from "../store/version-store.ts";
import { runBuild } from "./build-run.ts";
import type { ImageWork } from "./image-work.ts";
import { removeImage, removeVersion, sweepLayers, sweepRootfs } from "./image-removal.ts";

export interface BuildQueueOptions {
  readonly store: Store;
  readonly builder: ImageBuilder;
  readonly paths: Pick<HomePaths, "images" | "rootfs">;
  readonly hostId: string;
  /** Of this host: `engine.capabilities.architecture`. */
  readonly architecture: "X86_64" | "ARM_64";
  readonly log: Log;
  /** What an image's egress connectors open while it is built. */
  readonly egressOf: ImageWork["egressOf"];
  /** Told before a build's files are removed. */
  readonly releaseTemplate?: (buildId: string) => Promise<void>;
  /** Where the lines of builds go beside build.log. */
  readonly logs?: ImageWork["logs"];
  /** Builds at a time. */
  readonly concurrency?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** What a build's record says it was made on and for. */
export interface BuildTarget {
  readonly hostId: string;
  readonly architecture: "X86_64" | "ARM_64";
  readonly chipset: "GENERIC";
  readonly chipsetGeneration: "1";
}

const DEFAULT_CONCURRENCY = 2;

/**
 * The slow half of image operations: builds, and the removal of what was deleted. The store holds what is to be done
 * before it begins, so `recover` picks up after a crash at any point.
 */
export class BuildQueue {
  readonly target: BuildTarget;
  readonly #work: ImageWork;
  readonly #concurrency: number;
  readonly #waiting: string[] = [];
  /** Ids of builds and keys of removals that are queued or under way. */
  readonly #known = new Set<string>();
  readonly #tasks = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #building = 0;
  #sweepWanted = false;
  #sweeping = false;

  constructor(options: BuildQueueOptions) {
    const {
      store,
      builder,
      paths,
      log,
      hostId,
      architecture,
      egressOf,
      releaseTemplate = async () => {},
      logs,
      concurrency = DEFAULT_CONCURRENCY,
      now = Date.now,
    } = options;
    this.#work = { store, builder, paths, log, egressOf, releaseTemplate, logs, now };
    this.#concurrency = concurrency;
    // "GENERIC" and "1": Graviton would be a claim about hardware that nobody checked
    this.target = { hostId, architecture, chipset: "GENERIC", chipsetGeneration: "1" };
  }

  /** Takes a build whose PENDING rows are committed. */
  enqueue(buildId: string): void {
    if (this.#known.has(buildId)) return;
    this.#known.add(buildId);
    this.#waiting.push(buildId);
    this.#next();
  }

  /** Takes an image that is DELETING on record. */
  removeImage(imageArn: string): void {
    this.#remove(() => removeImage(this.#work, imageArn), { imageArn });
  }

  /** Takes a version that is DELETING on record. */
  removeVersion(key: VersionKey): void {
    this.#remove(() => removeVersion(this.#work, key), key);
  }

  /** Call once at start: queues builds and removals that the last run did not finish. */
  async recover(): Promise<void> {
    const { db } = this.#work.store;
    for (const image of await listImagesInState(db, "DELETING")) this.removeImage(image.arn);
    for (const version of await listVersionsInState(db, "DELETING")) {
      this.removeVersion({ imageArn: version.image_arn, version: version.version });
    }
    for (const build of await listUnfinishedBuilds(db, this.target.hostId)) this.enqueue(build.build_id);
    this.#sweepWanted = true;
    this.#next();
  }

  /** Resolves when nothing is queued or under way. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  /** Breaks off what runs, without recording an outcome: the next start takes it up again. */
  async stop(): Promise<void> {
    this.#waiting.length = 0;
    this.#stopping.abort();
    await this.idle();
  }

  #next(): void {
    if (this.#stopping.signal.aborted || this.#sweeping) return;
    while (this.#building < this.#concurrency) {
      const buildId = this.#waiting.shift();
      if (buildId === undefined) break;
      this.#building++;
      this.#track(runBuild(this.#work, buildId, this.#stopping.signal), { buildId }, () => {
        this.#building--;
        this.#known.delete(buildId);
      });
    }
    if (this.#sweepWanted && this.#building === 0) this.#sweep();
  }

  /** A build may be about to use a rootfs or layers that nobody refers to yet, so sweeping waits until none runs. */
  #sweep(): void {
    this.#sweepWanted = false;
    this.#sweeping = true;
    const sweeps = Promise.all([sweepRootfs(this.#work), sweepLayers(this.#work)]);
    this.#track(sweeps, { directory: this.#work.paths.rootfs }, () => {
      this.#sweeping = false;
    });
  }

  /** One removal of a thing at a time: a late second one could otherwise meet its successor of the same name. */
  #remove(removal: () => Promise<void>, details: { imageArn: string; version?: string }): void {
    const key = `${details.imageArn} ${details.version ?? ""}`;
    if (this.#stopping.signal.aborted || this.#known.has(key)) return;
    this.#known.add(key);
    this.#track(removal(), details, () => {
      this.#known.delete(key);
      this.#sweepWanted = true;
    });
  }

  #track(work: Promise<unknown>, details: object, done: () => void): void {
    const task = work
      .catch((err: unknown) =>
        this.#work.log.error({ err, ...details }, "image work could not be recorded; it is taken up at the next start"),
      )
      .finally(() => {
        this.#tasks.delete(task);
        done();
        this.#next();
      });
    this.#tasks.add(task);
  }
}
