import type { Kysely } from "kysely";
import { findConnectorNamed, type ConnectorOwner, type ConnectorRow } from "../../store/connector-store.ts";
import type { Database } from "../../store/tables.ts";
import { connectorNotFound } from "./connector-faults.ts";

/** Throws where the caller has none of that id, name or ARN. */
export async function requireConnector(
  db: Kysely<Database>,
  owner: ConnectorOwner,
  identifier: string,
): Promise<ConnectorRow> {
  const row = await findConnectorNamed(db, owner, identifier);
  if (!row) throw connectorNotFound(identifier);
  return row;
}
