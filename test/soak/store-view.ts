import { DatabaseSync } from "node:sqlite";
import type { StoredMachine } from "../../src/lifecycle/life-context.ts";
import type { BuildState, ImageState, MicrovmState } from "../../src/model/states.ts";

export interface StoredMicrovm {
  readonly id: string;
  readonly state: MicrovmState;
  readonly machine: StoredMachine | undefined;
}

export interface StoredBuild {
  readonly id: string;
  readonly state: BuildState;
  /** File below the home's rootfs directory, of a successful one. */
  readonly rootfs: string | undefined;
}

/** What the store says, read beside the server. */
export interface StoreView {
  readonly microvms: readonly StoredMicrovm[];
  readonly builds: readonly StoredBuild[];
  readonly images: readonly { readonly arn: string; readonly state: ImageState }[];
  /** Stretches of use that last, "running microvm-…". */
  readonly openUsage: readonly string[];
  /** Below the home's objects directory. */
  readonly objectFiles: readonly string[];
}

export function readStore(file: string): StoreView {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = (sql: string) => database.prepare(sql).all() as Record<string, string | null>[];
    return {
      microvms: rows("SELECT id, state, machine_json FROM microvms").map(({ id, state, machine_json: json }) => ({
        id: id ?? "",
        state: state as MicrovmState,
        machine: typeof json !== "string" ? undefined : (JSON.parse(json) as StoredMachine),
      })),
      builds: rows("SELECT build_id, state, template_json FROM image_builds").map((row) => ({
        id: row["build_id"] ?? "",
        state: row["state"] as BuildState,
        rootfs:
          typeof row["template_json"] !== "string"
            ? undefined
            : (JSON.parse(row["template_json"]) as StoredBuild).rootfs,
      })),
      images: rows("SELECT arn, state FROM images").map(({ arn, state }) => ({
        arn: arn ?? "",
        state: state as ImageState,
      })),
      openUsage: rows(
        "SELECT kind || ' ' || microvm_id AS what FROM usage_records WHERE ended_at IS NULL AND microvm_id IS NOT NULL",
      ).map(({ what }) => what ?? ""),
      objectFiles: rows("SELECT file FROM s3_objects UNION ALL SELECT file FROM s3_parts").map(
        ({ file: f }) => f ?? "",
      ),
    };
  } finally {
    database.close();
  }
}
