import type { Kysely } from "kysely";
import type { MachineHandle } from "../engine/engine.ts";
import { findBuild } from "../store/build-store.ts";
import type { MicrovmRow } from "../store/microvm-store.ts";
import type { Database } from "../store/tables.ts";
import { endUsageOf, insertUsage, lastUsageOf, type UsageRow } from "../store/usage-store.ts";
import { baselineOfVersion } from "../store/version-store.ts";
import type { StretchStart } from "./running-meter.ts";
import type { SleeperSize } from "./sleeper-size.ts";

type Db = Kysely<Database>;

export interface RunBeginning {
  readonly hostId: string;
  readonly handle: MachineHandle;
  readonly cpuSeconds: number;
}

/** Sizes of a build as its record keeps them. */
interface BuiltSizes {
  readonly memorySnapshotSizeInBytes?: number;
  readonly diskSnapshotSizeInBytes?: number;
}

/** A microVM that is RUNNING: its sleep ends and a run begins, or the one that another server began goes on. */
export async function beginRun(
  db: Db,
  row: MicrovmRow,
  { hostId, handle, cpuSeconds }: RunBeginning,
): Promise<StretchStart & { isNew: boolean; read_bytes: number }> {
  const last = await lastUsageOf(db, row.id);
  if (last?.kind === "running" && last.ended_at === null) return { ...last, isNew: false };
  await endUsageOf(db, row.id, row.last_activity_at);
  const begun = {
    ...stretchOf(row, hostId, row.last_activity_at),
    kind: "running" as const,
    baseline_mib: await baselineOfVersion(db, { imageArn: row.image_arn, version: row.image_version }),
    process: processOf(handle),
    cpu_seconds: cpuSeconds,
    read_bytes: await bytesRead(db, { row, last, process: processOf(handle) }),
    running_seconds: 0,
    above_vcpu_seconds: 0,
    above_gb_seconds: 0,
  };
  return { ...begun, id: await insertUsage(db, begun), isNew: true };
}

/** A microVM that is SUSPENDED: false when it sleeps on after a wake that failed. */
export async function beginSleep(
  db: Db,
  row: MicrovmRow,
  { hostId, size }: { hostId: string; size: SleeperSize },
): Promise<boolean> {
  const last = await lastUsageOf(db, row.id);
  if (last?.kind === "asleep" && last.ended_at === null) return false;
  const at = row.suspended_at ?? Date.now();
  await endUsageOf(db, row.id, at);
  await insertUsage(db, {
    ...stretchOf(row, hostId, at),
    kind: "asleep",
    baseline_mib: 0,
    process: last?.process ?? null,
    written_bytes: size.writtenBytes,
    stored_bytes: size.storedBytes,
  });
  return true;
}

function stretchOf(row: MicrovmRow, hostId: string, at: number) {
  return {
    host_id: hostId,
    account_id: row.account_id,
    region: row.region,
    microvm_id: row.id,
    image_arn: row.image_arn,
    image_version: row.image_version,
    began_at: at,
    metered_until: at,
    ended_at: null,
  };
}

function processOf({ pid, startTicks }: MachineHandle): string {
  return `${pid}:${startTicks}`;
}

/** Of snapshots: the image's for a first start, the sleeper's for a wake from disk, nothing where the process is the same. */
async function bytesRead(
  db: Db,
  { row, last, process }: { row: MicrovmRow; last: UsageRow | undefined; process: string },
): Promise<number> {
  if (last === undefined) {
    const sizes = JSON.parse((await findBuild(db, row.build_id))?.sizes_json ?? "{}") as BuiltSizes;
    return (sizes.memorySnapshotSizeInBytes ?? 0) + (sizes.diskSnapshotSizeInBytes ?? 0);
  }
  const isWake = last.kind === "asleep" && last.ended_at === null;
  return isWake && last.process !== process ? last.written_bytes : 0;
}
