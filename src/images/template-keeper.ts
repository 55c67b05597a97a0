import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { BuiltImage } from "../build/image-builder.ts";
import type { Engine } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import { findBuild, listRunnableTemplates, listTemplates } from "../store/build-store.ts";
import { listStartedImages } from "../store/microvm-store.ts";
import { abandonable } from "../util/abandonable.ts";
import { Turns } from "../util/turns.ts";
import { ImageUse } from "./image-use.ts";
import type { ImageWork } from "./image-work.ts";
import type { TemplateLease, Templates } from "./templates.ts";
import { renewTemplate } from "./renew-template.ts";
import { sweepTemplates, type EnginesInUse } from "./sweep-templates.ts";

export interface TemplateKeeperOptions extends ImageWork {
  readonly engine: Pick<Engine, "capabilities" | "canLoad" | "damagedFiles" | "keepOnly">;
  readonly hostId: string;
  /** Told what needs which engine, whenever it was counted. */
  readonly onCounted?: (uses: EnginesInUse) => Promise<void>;
}

/** What somebody waits for: a run goes first, but not all of them at once. */
const URGENT_AT_ONCE = 2;

interface Renewal {
  readonly begin: () => Promise<void>;
  readonly aborting: AbortController;
}

const ENGINE_CHANGED = "the engine of this host has changed";

const whyDamaged = (damaged: readonly string[]) =>
  `${damaged.map((path) => basename(path)).join(", ")} of its snapshot is damaged`;

/** Of the time that reading a file took, for others to have the disk. */
const REST_RATIO = 9;

/** A build, and why its template does not do. */
interface Wanted {
  readonly buildId: string;
  readonly why: string;
}

/**
 * The templates of this home. One of another engine is made again in the background, each while the old one, started by
 * the engine that is kept for it, still serves; one that cannot be started here any more is made again when it is wanted.
 */
export class TemplateKeeper implements Templates {
  readonly #options: TemplateKeeperOptions;
  readonly #leased = new ImageUse();
  readonly #renewals = new Map<string, Renewal>();
  readonly #urgent = new Turns(URGENT_AT_ONCE);
  readonly #background = new Turns(1);
  readonly #stopping = new AbortController();

  constructor(options: TemplateKeeperOptions) {
    this.#options = options;
  }

  async lease(buildId: string, signal: AbortSignal): Promise<TemplateLease> {
    const use = this.#leased.begin(buildId);
    try {
      let image = await this.#load(buildId);
      const why = await this.#whyNot(image);
      if (why !== undefined) {
        await abandonable(this.#renew({ buildId, why }, this.#urgent), signal);
        image = await this.#load(buildId);
      }
      return { image, [Symbol.dispose]: () => use[Symbol.dispose]() };
    } catch (cause) {
      use[Symbol.dispose]();
      throw cause;
    }
  }

  /** Call once at start: has every template of another engine made again; resolves with how many there are. */
  async start(): Promise<number> {
    const { store, hostId, engine, log } = this.#options;
    const templates = await listRunnableTemplates(store.db, hostId);
    const { fingerprint } = engine.capabilities;
    const stale = templates.filter(
      ({ templateJson }) => (JSON.parse(templateJson) as BuiltImage).template.fingerprint !== fingerprint,
    );
    if (stale.length > 0)
      log.info({ count: stale.length, engine: fingerprint }, "images of another engine are snapshotted again");
    void Promise.all(
      stale.map(({ buildId }) => this.#renew({ buildId, why: ENGINE_CHANGED }, this.#background).catch(() => {})),
    )
      .then(() => this.sweep())
      .catch((err: unknown) => log.warn({ err }, "old templates could not be removed; it is tried again"));
    return stale.length;
  }

  /** Removes templates and engines that nothing needs any more; resolves with what needs which engine. */
  async sweep(): Promise<EnginesInUse> {
    const { engine } = this.#options;
    const uses = await sweepTemplates(
      this.#options,
      (buildId) => this.#leased.count(buildId) > 0 || this.#renewals.has(buildId),
    );
    // Somebody who is about to start from a template may still need its engine.
    if (!this.#leased.isAny) await engine.keepOnly(new Set(uses.keys()));
    await this.#options.onCounted?.(uses);
    return uses;
  }

  /** Reads every template from the disk, a small part of the time; a damaged one of an image is made again. */
  async verify(): Promise<void> {
    const { store, engine, log } = this.#options;
    const { signal } = this.#stopping;
    const templates = new Map<string, string | undefined>();
    for (const { json } of await listStartedImages(store.db)) templates.set(json, undefined);
    for (const { buildId, templateJson } of await listTemplates(store.db)) templates.set(templateJson, buildId);
    for (const [templateJson, buildId] of templates) {
      const { template, rootfs } = JSON.parse(templateJson) as BuiltImage;
      const begun = performance.now();
      const damaged = await engine.damagedFiles(template, rootfs, { fromDisk: true });
      if (damaged.length > 0) log.error({ buildId, damaged }, "files of an image are not what was written");
      if (damaged.length > 0 && buildId !== undefined && !damaged.includes(rootfs))
        this.#renew({ buildId, why: whyDamaged(damaged) }, this.#background).catch(() => {}); // logged
      await setTimeout((performance.now() - begun) * REST_RATIO, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    }
  }

  /** Breaks off the renewal of a build that is about to be removed. */
  async release(buildId: string): Promise<void> {
    const renewal = this.#renewals.get(buildId);
    renewal?.aborting.abort();
    await renewal?.begin().catch(() => {}); // told to those who waited for it
  }

  /** The next start begins anew what this breaks off. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    while (this.#renewals.size > 0) {
      await Promise.all([...this.#renewals.keys()].map((buildId) => this.release(buildId)));
      await setTimeout(0);
    }
  }

  /** One at a time for a build, in whichever lane has a turn first. */
  #renew(wanted: Wanted, lane: Turns): Promise<void> {
    const { buildId } = wanted;
    let renewal = this.#renewals.get(buildId);
    if (renewal === undefined) this.#renewals.set(buildId, (renewal = this.#newRenewal(wanted)));
    const { begin } = renewal;
    return lane.run(begin);
  }

  #newRenewal(wanted: Wanted): Renewal {
    const aborting = new AbortController();
    const signal = AbortSignal.any([aborting.signal, this.#stopping.signal]);
    let done: Promise<void> | undefined;
    const begin = () => (done ??= this.#perform(wanted, signal).finally(() => this.#renewals.delete(wanted.buildId)));
    return { begin, aborting };
  }

  async #perform({ buildId, why }: Wanted, signal: AbortSignal): Promise<void> {
    const { log, releaseTemplate } = this.#options;
    try {
      signal.throwIfAborted();
      log.info({ buildId, why }, "an image is snapshotted again");
      await renewTemplate(this.#options, { buildId, why, signal });
      await releaseTemplate(buildId);
      log.info({ buildId }, "an image was snapshotted again");
    } catch (cause) {
      if (signal.aborted) throw new AppError("ERR_CANCELLED", { cause });
      log.error({ err: cause, buildId }, "an image could not be snapshotted again; its old snapshot stays");
      throw new AppError("ERR_ENGINE_SNAPSHOT", {
        message: `The image has to be snapshotted again (${why}), which failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      });
    }
  }

  /** Why clones of it cannot be started as it is; throws when it cannot be made again either. */
  async #whyNot({ template, rootfs }: BuiltImage): Promise<string | undefined> {
    const { engine } = this.#options;
    const damaged = await engine.damagedFiles(template, rootfs);
    if (damaged.includes(rootfs)) {
      throw new AppError("ERR_ENGINE_SNAPSHOT", {
        message: "The root file system of the image is damaged; build the image again (UpdateMicrovmImage)",
        details: { rootfs },
      });
    }
    if (damaged.length > 0) return whyDamaged(damaged);
    return (await engine.canLoad(template)) ? undefined : ENGINE_CHANGED;
  }

  async #load(buildId: string): Promise<BuiltImage> {
    const build = await findBuild(this.#options.store.db, buildId);
    const json = build?.template_json ?? undefined;
    if (json === undefined)
      throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "The image version this MicroVM was run from is gone" });
    return JSON.parse(json) as BuiltImage;
  }
}
