import type { Insertable, Kysely, Selectable, Updateable } from "kysely";
import type { Store } from "./store.ts";
import type { Database } from "./tables.ts";

export type MicrovmRow = Selectable<Database["microvms"]>;
export type NewMicrovmRow = Insertable<Database["microvms"]>;
export type MicrovmChange = Updateable<Database["microvms"]>;

/** Rows of microVMs; each call is one committed statement. */
export function microvmStore({ db }: Store) {
  return {
    /** `also` writes what must be there exactly when the row is. */
    async insert(row: NewMicrovmRow, also?: (db: Kysely<Database>) => Promise<void>): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto("microvms").values(row).execute();
        await also?.(transaction);
      });
    },
    async update(id: string, change: MicrovmChange): Promise<void> {
      await db.updateTable("microvms").set(change).where("id", "=", id).execute();
    },
    find(id: string): Promise<MicrovmRow | undefined> {
      return db.selectFrom("microvms").selectAll().where("id", "=", id).executeTakeFirst();
    },
    list(filter: { accountId: string; imageArn?: string; imageVersion?: string }): Promise<MicrovmRow[]> {
      let query = db.selectFrom("microvms").selectAll().where("account_id", "=", filter.accountId);
      if (filter.imageArn !== undefined) query = query.where("image_arn", "=", filter.imageArn);
      if (filter.imageVersion !== undefined) query = query.where("image_version", "=", filter.imageVersion);
      return query.orderBy("started_at", "desc").orderBy("id").execute();
    },
    listLive(hostId: string): Promise<MicrovmRow[]> {
      return db
        .selectFrom("microvms")
        .selectAll()
        .where("host_id", "=", hostId)
        .where("state", "!=", "TERMINATED")
        .execute();
    },
    async countLive(imageArn: string, imageVersion?: string): Promise<number> {
      let query = db
        .selectFrom("microvms")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .where("image_arn", "=", imageArn)
        .where("state", "!=", "TERMINATED");
      if (imageVersion !== undefined) query = query.where("image_version", "=", imageVersion);
      return Number((await query.executeTakeFirstOrThrow()).count);
    },
    /** Forgets microVMs that ended before `time` (epoch milliseconds). */
    purgeTerminated(time: number): Promise<Pick<MicrovmRow, "endpoint_label">[]> {
      return db
        .deleteFrom("microvms")
        .where("state", "=", "TERMINATED")
        .where("terminated_at", "<", time)
        .returning("endpoint_label")
        .execute();
    },
    listTerminated(hostId: string): Promise<MicrovmRow[]> {
      return db
        .selectFrom("microvms")
        .selectAll()
        .where("host_id", "=", hostId)
        .where("state", "=", "TERMINATED")
        .execute();
    },
    async templateOf(buildId: string): Promise<string | undefined> {
      const row = await db
        .selectFrom("image_builds")
        .select("template_json")
        .where("build_id", "=", buildId)
        .executeTakeFirst();
      return row?.template_json ?? undefined;
    },
  };
}

export type MicrovmStore = ReturnType<typeof microvmStore>;
