import type { Kysely } from "kysely";
import type { BuildQueue } from "../../images/build-queue.ts";
import { formatImageVersion, newBuildId } from "../../model/ids.ts";
import { insertBuild } from "../../store/build-store.ts";
import type { Database } from "../../store/tables.ts";
import { insertVersion } from "../../store/version-store.ts";
import type { BuildSettings } from "./build-settings.ts";

interface NewVersion {
  readonly imageArn: string;
  readonly number: number;
  readonly settings: BuildSettings;
  readonly at: number;
}

/** Inserts a PENDING version and its build; the caller enqueues the build once its transaction is committed. */
export async function insertPendingVersion(
  db: Kysely<Database>,
  { imageArn, number, settings, at }: NewVersion,
  target: BuildQueue["target"],
): Promise<{ buildId: string; version: string }> {
  const version = formatImageVersion(number);
  const buildId = newBuildId();
  await insertVersion(db, {
    image_arn: imageArn,
    version,
    number,
    state: "PENDING",
    // a version that never became SUCCESSFUL reads INACTIVE (contract 3.2)
    status: "INACTIVE",
    request_json: JSON.stringify(settings),
    state_reason: null,
    created_at: at,
    updated_at: null,
  });
  await insertBuild(db, {
    build_id: buildId,
    image_arn: imageArn,
    version,
    host_id: target.hostId,
    state: "PENDING",
    architecture: target.architecture,
    chipset: target.chipset,
    chipset_generation: target.chipsetGeneration,
    state_reason: null,
    sizes_json: null,
    template_json: null,
    created_at: at,
  });
  return { buildId, version };
}
