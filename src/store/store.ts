import type { Kysely } from "kysely";
import type { Database } from "./tables.ts";

/** The store port. Drivers (sqlite/) make one; everything else builds typed queries on it. */
export interface Store {
  readonly db: Kysely<Database>;
  close(): Promise<void>;
}
