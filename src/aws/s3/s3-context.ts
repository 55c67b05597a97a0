import type { Store } from "../../store/store.ts";
import type { ObjectFiles } from "./object-files.ts";

/** What every S3 operation works with. */
export interface S3Context {
  readonly store: Store;
  readonly files: ObjectFiles;
  readonly now: () => number;
}
