import type { Insertable, Kysely, Selectable, Updateable } from "kysely";
import type { Store } from "./store.ts";
import type { Database } from "./tables.ts";

export type MicrovmRow = Selectable<Database["microvms"]>;
export type NewMicrovmRow = Insertable<Database["microvms"]>;
export type MicrovmChange = Updateable<Database["microvms"]>;

export interface MicrovmOwner {
  readonly accountId: string;
  readonly region: string;
}

/** Oldest first, so that microVMs started while somebody pages come at the end. */
export interface MicrovmPage {
  /** The last one of the page before; epoch milliseconds. */
  readonly after?: { readonly startedAt: number; readonly id: string };
  readonly limit: number;
}

/** Rows of microVMs; each call is one committed statement, or transaction. */
export function microvmStore({ db }: Store) {
  return {
    /** `also` writes what must be there exactly when the row is. */
    async insert(row: NewMicrovmRow, also?: (db: Kysely<Database>) => Promise<void>): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto("microvms").values(row).execute();
        await also?.(transaction);
      });
    },
    async update(id: string, change: MicrovmChange, also?: (db: Kysely<Database>) => Promise<void>): Promise<void> {
      const write = async (on: Kysely<Database>) => {
        await on.updateTable("microvms").set(change).where("id", "=", id).execute();
        await also?.(on);
      };
      await (also === undefined ? write(db) : db.transaction().execute(write));
    },
    find(id: string): Promise<MicrovmRow | undefined> {
      return db.selectFrom("microvms").selectAll().where("id", "=", id).executeTakeFirst();
    },
    list(owner: MicrovmOwner, page: MicrovmPage): Promise<MicrovmRow[]> {
      let query = db
        .selectFrom("microvms")
        .selectAll()
        .where("account_id", "=", owner.accountId)
        .where("region", "=", owner.region);
      const { after } = page;
      if (after !== undefined)
        query = query.where((where) =>
          where(where.refTuple("started_at", "id"), ">", where.tuple(after.startedAt, after.id)),
        );
      return query.orderBy("started_at").orderBy("id").limit(page.limit).execute();
    },
    async listLive(hostId: string): Promise<MicrovmRow[]> {
      const rows = await db
        .selectFrom("microvms")
        .selectAll()
        .where("host_id", "=", hostId)
        .where("state", "!=", "TERMINATED")
        .execute();
      return shareTexts(rows);
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
  };
}

/** What live microVMs were started from, once, and how many each. */
export async function listStartedImages(db: Kysely<Database>): Promise<{ json: string; microvms: number }[]> {
  const rows = await db
    .selectFrom("microvms")
    .select(({ fn }) => ["image_json", fn.countAll<number>().as("microvms")])
    .where("state", "!=", "TERMINATED")
    .groupBy("image_json")
    .execute();
  return rows.flatMap(({ image_json: json, microvms }) =>
    json === null ? [] : [{ json, microvms: Number(microvms) }],
  );
}

/** Clones of an image were asked for alike and started from the same: ten thousand of them keep one copy of each text. */
function shareTexts(rows: MicrovmRow[]): MicrovmRow[] {
  const known = new Map<string, string>();
  const share = (text: string) => known.get(text) ?? (known.set(text, text), text);
  return rows.map((row) => ({
    ...row,
    host_id: share(row.host_id),
    account_id: share(row.account_id),
    region: share(row.region),
    image_arn: share(row.image_arn),
    image_version: share(row.image_version),
    build_id: share(row.build_id),
    request_json: share(row.request_json),
    image_json: row.image_json === null ? null : share(row.image_json),
  }));
}

export type MicrovmStore = ReturnType<typeof microvmStore>;
