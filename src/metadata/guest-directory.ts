import { sql } from "kysely";
import type { MachineHandle } from "../engine/engine.ts";
import type { Store } from "../store/store.ts";

/** The microVM that asks, or the machine of a build. */
export interface Guest {
  /** The build's id for a machine of a build. */
  readonly microvmId: string;
  readonly accountId: string;
  readonly region: string;
  readonly imageArn: string;
  /** The build role for a machine of a build. */
  readonly executionRoleArn?: string;
  readonly isOfBuild?: boolean;
}

/** Tells guests apart by the network slot they call from. */
export interface GuestDirectory {
  find(slot: number): Promise<Guest | undefined>;
}

export interface GuestDirectoryOptions {
  readonly store: Store;
  readonly hostId: string;
  /** Whether the very process that a handle names still runs. */
  readonly isAlive: (handle: MachineHandle) => Promise<boolean>;
}

/**
 * By the records of machines, which are written before a guest runs its first instruction. A record may be left behind by
 * a machine that is gone, and its slot have a new user: only a living process proves whose the slot is.
 */
export function createGuestDirectory({ store, hostId, isAlive }: GuestDirectoryOptions): GuestDirectory {
  return {
    async find(slot) {
      const rows = await store.db
        .selectFrom("microvms")
        .select(["id", "account_id", "region", "image_arn", "request_json", "machine_json"])
        .where("machine_json", "is not", null)
        .where(sql<number>`json_extract(machine_json, '$.slot')`, "=", slot)
        .where("host_id", "=", hostId)
        .where("state", "!=", "TERMINATED")
        .execute();
      for (const row of rows) {
        const { handle } = JSON.parse(row.machine_json ?? "") as { handle: MachineHandle };
        if (!(await isAlive(handle))) continue;
        const { executionRoleArn } = JSON.parse(row.request_json) as { executionRoleArn?: string };
        return {
          microvmId: row.id,
          accountId: row.account_id,
          region: row.region,
          imageArn: row.image_arn,
          executionRoleArn,
        };
      }
      return undefined;
    },
  };
}
