import type { ConnectorRow } from "../../store/connector-store.ts";
import type { Operation } from "../service.ts";
import { connectorView } from "./connector-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireConnector } from "./find-connector.ts";

export function getNetworkConnector({ store }: Dependencies): Operation<{ Identifier: string }, object> {
  return async ({ Identifier }, context) => {
    const row = await requireConnector(store.db, context, Identifier);
    return {
      ...connectorView(row),
      Version: row.version,
      ...stateMembers(row),
      LastModified: new Date(row.modified_at),
    };
  };
}

/** Reasons only where there are any; the outcome of an update only after one. */
function stateMembers(row: ConnectorRow): object {
  const members = {
    StateReason: row.state_reason,
    StateReasonCode: row.state_reason_code,
    LastUpdateStatus: row.update_status,
    LastUpdateStatusReason: row.update_reason,
    LastUpdateStatusReasonCode: row.update_reason_code,
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
}
