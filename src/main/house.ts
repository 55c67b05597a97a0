import type { Config } from "../config/options.ts";
import type { HomePaths } from "../config/paths.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { Log } from "../observability/log.ts";
import type { Store } from "../store/store.ts";
import type { Cleanup } from "../util/cleanup.ts";

/** What every part of the server is built on. */
export interface House {
  readonly config: Config;
  readonly paths: HomePaths;
  readonly log: Log;
  readonly store: Store;
  readonly logs: LogStore;
  /** Parts add how they end; they end in reverse. */
  readonly cleanup: Cleanup;
}
