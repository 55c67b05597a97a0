import type { ConnectorConfiguration, VpcEgressConfiguration } from "./connector-types.ts";
import { invalidParameter } from "./connector-faults.ts";

/** What the service demands of a VPC egress configuration beyond its shape (contract 1.2, observed 2.8). */
export function checkConfiguration({ VpcEgressConfiguration: vpc }: ConnectorConfiguration): VpcEgressConfiguration {
  if (!vpc?.NetworkProtocol) throw invalidParameter("NetworkProtocol cannot be null or empty for VPC_EGRESS connector");
  if (!vpc.SubnetIds?.length) throw invalidParameter("SubnetIds cannot be null or empty for VPC_EGRESS connector");
  return vpc;
}

export function checkOperatorRole(role: string | undefined): string {
  if (!role) throw invalidParameter("NetworkConnectorOperatorRole is required for VPC_EGRESS connector type");
  return role;
}
