import {
  MANAGED_CONNECTORS,
  parseConnectorArn,
  type ConnectorDirection,
  hasManagedConnector,
} from "../../model/connectors.ts";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { OperationContext } from "../service.ts";
import { validation } from "./faults.ts";

/** Every connector must be a known one of that direction (contract 8.1); there are no customer connectors yet. */
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
      throw new ServiceFault("ResourceNotFoundException", `Network connector not found: ${arn}`, {
        members: { resourceId: arn, resourceType: "NetworkConnector" },
      });
    case "managed":
      if (connector.region !== context.region) throw validation(`Unrecognized managed network connector ARN: ${arn}`);
      if (MANAGED_CONNECTORS[connector.name] !== direction) {
        throw validation(`Network connector ${arn} cannot be used as ${direction} network connector`);
      }
  }
}
