import type { Architecture, Chipset, MicrovmImageBuildSummary, SnapshotBuild } from "@aws-sdk/client-lambda-microvms";
import type { BuildRow } from "../../store/build-store.ts";

/** What was built and on what; the SDK's types know Graviton only, ours says the truth. */
export function buildSummary(row: BuildRow): MicrovmImageBuildSummary {
  return {
    imageArn: row.image_arn,
    imageVersion: row.version,
    buildId: row.build_id,
    buildState: row.state,
    architecture: row.architecture as Architecture,
    chipset: row.chipset as Chipset,
    chipsetGeneration: row.chipset_generation,
    ...(row.state_reason !== null && { stateReason: row.state_reason }),
    createdAt: new Date(row.created_at),
  };
}

export function snapshotBuild(row: BuildRow): SnapshotBuild | undefined {
  return row.sizes_json === null ? undefined : (JSON.parse(row.sizes_json) as SnapshotBuild);
}
