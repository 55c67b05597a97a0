import { listConnectors } from "../../store/connector-store.ts";
import { readPageToken, writePageToken } from "../page-token.ts";
import type { Operation } from "../service.ts";
import { invalidParameter } from "./connector-faults.ts";
import type { ListConnectorsInput } from "./connector-types.ts";
import type { Dependencies } from "./dependencies.ts";

/** Of a page, whatever more MaxItems asks for (contract 8.2). */
const MAX_PAGE = 50;

/** By name; the filter comes after the page, as in the lists of lambda-microvms. */
export function listNetworkConnectors({ store }: Dependencies): Operation<ListConnectorsInput, object> {
  return async ({ State, Marker, MaxItems = MAX_PAGE }, context) => {
    const scope = ["ListNetworkConnectors", context.accountId, context.region];
    const after = Marker === undefined ? undefined : readPageToken(scope, Marker);
    if (Marker !== undefined && after === undefined)
      throw invalidParameter("Invalid Marker: it was not given out for this list");
    const size = Math.min(MaxItems, MAX_PAGE);
    const rows = await listConnectors(store.db, context, { after, limit: size + 1 });
    const page = rows.slice(0, size);
    const last = page.at(-1);
    const wanted = page.filter((row) => State === undefined || row.state === State);
    return {
      NetworkConnectors: wanted.map((row) => ({
        Arn: row.arn,
        Name: row.name,
        Id: row.id,
        Type: "VPC_EGRESS",
        State: row.state,
        LastModified: new Date(row.modified_at),
      })),
      ...(rows.length > size && last && { NextMarker: writePageToken(scope, last.name) }),
    };
  };
}
