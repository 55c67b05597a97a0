import type { ConnectorState } from "../../model/states.ts";
import type { ConnectorRow } from "../../store/connector-store.ts";
import type { ConnectorConfiguration, VpcEgressConfiguration } from "./connector-types.ts";

export interface MadeConnector {
  readonly Arn: string;
  readonly Name: string;
  readonly Id: string;
  readonly Configuration: ConnectorConfiguration;
  readonly OperatorRole?: string;
  readonly State: ConnectorState;
}

/** Members that create, get, update and delete answer. */
export function connectorView(row: ConnectorRow, state: ConnectorState = row.state): MadeConnector {
  return {
    Arn: row.arn,
    Name: row.name,
    Id: row.id,
    Configuration: { VpcEgressConfiguration: JSON.parse(row.configuration_json) as VpcEgressConfiguration },
    ...(row.operator_role !== null && { OperatorRole: row.operator_role }),
    State: state,
  };
}
