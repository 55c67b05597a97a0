import type { Kysely } from "kysely";
import {
  MANAGED_CONNECTORS,
  parseConnectorArn,
  type ConnectorDirection,
  hasManagedConnector,
} from "../../model/connectors.ts";
import { findConnectorByArn } from "../../store/connector-store.ts";
import type { Database } from "../../store/tables.ts";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { OperationContext } from "../service.ts";
import { validation } from "./faults.ts";

/** Syntax and direction: every connector must be a managed one or may be a customer's egress (contract 8.1). */
export function checkConnectors(
  arns: readonly string[],
  direction: ConnectorDirection,
  context: OperationContext,
): void {
  if (direction === "egress" && arns.length > 1) throw validation("Only one egress network connector can be provided");
  for (const arn of arns) checkConnector(arn, direction, context);
  if (arns.length > 1 && hasManagedConnector(arns, "NO_INGRESS")) {
    throw validation("NO_INGRESS cannot be combined with other ingress network connectors");
  }
}

function checkConnector(arn: string, direction: ConnectorDirection, context: OperationContext): void {
  const connector = parseConnectorArn(arn);
  switch (connector.kind) {
    case "malformed":
      throw validation("Malformed network connector ARN");
    case "unknown-managed":
      throw validation(`Unrecognized managed network connector ARN: ${arn}`);
    case "customer":
      if (direction === "ingress") throw wrongDirection(arn, direction);
      if (connector.account !== context.accountId) throw connectorNotFound(arn);
      if (connector.region !== context.region)
        throw validation(`Network connector ${arn} must be in the Region of the MicroVM image`);
      return;
    case "public-port":
      if (connector.region !== context.region) throw validation(`Unrecognized managed network connector ARN: ${arn}`);
      if (direction !== "ingress") throw wrongDirection(arn, direction);
      return;
    case "managed":
      if (connector.region !== context.region) throw validation(`Unrecognized managed network connector ARN: ${arn}`);
      if (MANAGED_CONNECTORS[connector.name] !== direction) throw wrongDirection(arn, direction);
  }
}

/** A customer's connector must exist and be ACTIVE before it is used (contract 8.1). */
export async function requireConnectors(db: Kysely<Database>, arns: readonly string[]): Promise<void> {
  for (const arn of arns) {
    if (parseConnectorArn(arn).kind !== "customer") continue;
    const row = await findConnectorByArn(db, arn);
    if (!row) throw connectorNotFound(arn);
    if (row.state !== "ACTIVE") throw validation(`Network connector ${arn} is not ACTIVE, its state is ${row.state}`);
  }
}

export function connectorNotFound(arn: string): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", `Network connector not found: ${arn}`, {
    members: { resourceId: arn, resourceType: "NetworkConnector" },
  });
}

function wrongDirection(arn: string, direction: ConnectorDirection): ServiceFault {
  return validation(`Network connector ${arn} cannot be used as ${direction} network connector`);
}
