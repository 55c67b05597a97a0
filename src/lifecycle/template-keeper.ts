import { setTimeout } from "node:timers/promises";
import type { BuiltImage } from "../build/image-builder.ts";
import type { Engine } from "../engine/engine.ts";
import { AppError } from "../errors/app-error.ts";
import { findBuild, listRunnableTemplates } from "../store/build-store.ts";
import { abandonable } from "../util/abandonable.ts";
import { Turns } from "../util/turns.ts";
import { ImageUse } from "./image-use.ts";
import type { ImageWork } from "./image-work.ts";
import type { TemplateLease, Templates } from "./life-context.ts";
import { renewTemplate } from "./renew-template.ts";
import { sweepTemplates, type EnginesInUse } from "./sweep-templates.ts";

export interface TemplateKeeperOptions extends ImageWork {
  readonly engine: Pick<Engine, "capabilities" | "canLoad" | "keepOnly">;
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

const ENGINE_CHANGED =
  "the engine of this host has changed: the snapshot is made again from the kept root file system, without a new container build";

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
      if (!(await this.#options.engine.canLoad(image.template))) {
        await abandonable(this.#renew(buildId, this.#urgent), signal);
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
    void Promise.all(stale.map(({ buildId }) => this.#renew(buildId, this.#background).catch(() => {})))
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
  #renew(buildId: string, lane: Turns): Promise<void> {
    let renewal = this.#renewals.get(buildId);
    if (renewal === undefined) this.#renewals.set(buildId, (renewal = this.#newRenewal(buildId)));
    const { begin } = renewal;
    return lane.run(begin);
  }

  #newRenewal(buildId: string): Renewal {
    const aborting = new AbortController();
    const signal = AbortSignal.any([aborting.signal, this.#stopping.signal]);
    let done: Promise<void> | undefined;
    const begin = () => (done ??= this.#perform(buildId, signal).finally(() => this.#renewals.delete(buildId)));
    return { begin, aborting };
  }

  async #perform(buildId: string, signal: AbortSignal): Promise<void> {
    const { log, releaseTemplate } = this.#options;
    try {
      signal.throwIfAborted();
      log.info({ buildId }, "an image is snapshotted again");
      await renewTemplate(this.#options, { buildId, why: ENGINE_CHANGED, signal });
      await releaseTemplate(buildId);
      log.info({ buildId }, "an image was snapshotted again");
    } catch (cause) {
      if (signal.aborted) throw new AppError("ERR_CANCELLED", { cause });
      log.error({ err: cause, buildId }, "an image could not be snapshotted again; its old snapshot stays");
      throw new AppError("ERR_ENGINE_SNAPSHOT", {
        message: `The image's snapshot was made by an engine that is not kept on this host, and making it again failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      });
    }
  }

  async #load(buildId: string): Promise<BuiltImage> {
    const build = await findBuild(this.#options.store.db, buildId);
    const json = build?.template_json ?? undefined;
    if (json === undefined)
      throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "The image version this MicroVM was run from is gone" });
    return JSON.parse(json) as BuiltImage;
  }
}
