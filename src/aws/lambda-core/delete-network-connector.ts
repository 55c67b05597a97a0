import { deleteConnectorRow, findConnectorNamed } from "../../store/connector-store.ts";
import type { Operation } from "../service.ts";
import { connectorView, type MadeConnector } from "./connector-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireConnector } from "./find-connector.ts";

/** Gone at once; microVMs that have it lose their egress. Deleting it again succeeds, for a day (contract 8.2). */
export function deleteNetworkConnector({
  store,
  rebindEgress,
  now,
}: Dependencies): Operation<{ Identifier: string }, MadeConnector> {
  return async ({ Identifier }, context) => {
    const row = await store.db.transaction().execute(async (db) => {
      const found = await requireConnector(db, context, Identifier).catch(async (notFound: unknown) => {
        const deleted = await findConnectorNamed(db, context, Identifier, { isDeleted: true });
        if (!deleted) throw notFound;
        return deleted;
      });
      if (found.deleted_at === null) await deleteConnectorRow(db, found.id, now());
      return found;
    });
    await rebindEgress(row.arn);
    return connectorView(row, "DELETING");
  };
}
