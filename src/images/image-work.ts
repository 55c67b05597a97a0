import type { ImageBuilder } from "../build/image-builder.ts";
import type { HomePaths } from "../config/paths.ts";
import type { LogDestinations } from "../logs/log-destination.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import type { Log } from "../observability/log.ts";
import type { Store } from "../store/store.ts";

/** What builds and removals work with. */
export interface ImageWork {
  readonly store: Store;
  readonly builder: ImageBuilder;
  readonly paths: Pick<HomePaths, "images" | "rootfs">;
  readonly log: Log;
  readonly egressOf: (connectors: readonly string[]) => Promise<EgressPolicy>;
  /** Gives up what was started ahead from a build's template. */
  readonly releaseTemplate: (buildId: string) => Promise<void>;
  /** Where the lines of builds go beside build.log. */
  readonly logs?: LogDestinations;
  readonly now: () => number;
}
