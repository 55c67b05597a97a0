import { parseConnectorArn } from "../model/connectors.ts";
import { DEFAULT_ROUTE, type EgressPolicy } from "../model/egress-policy.ts";
import { findConnectorByArn } from "../store/connector-store.ts";
import type { Store } from "../store/store.ts";

/** Networks that a subnet leads to, by its id, as a route table says it. */
export type SubnetRoutes = Readonly<Record<string, readonly string[]>>;

interface VpcConfiguration {
  readonly SubnetIds?: readonly string[];
}

/** A subnet that the host's configuration does not know: private, with a way to the internet. */
const UNKNOWN_SUBNET: readonly string[] = [DEFAULT_ROUTE];

/**
 * What egress connectors open, as of now. A customer's connector opens what its subnets lead to; one that is gone or not
 * ACTIVE opens nothing (contract 8.2: microVMs lose their egress at once).
 */
export function createEgressResolver({ store, subnets }: { store: Store; subnets: SubnetRoutes }) {
  return async (connectors: readonly string[]): Promise<EgressPolicy> => {
    const [arn] = connectors; // the API accepts one
    if (arn === undefined) return { kind: "internet" };
    const connector = parseConnectorArn(arn);
    if (connector.kind === "managed") return { kind: connector.name === "INTERNET_EGRESS" ? "internet" : "none" };
    const row = connector.kind === "customer" ? await findConnectorByArn(store.db, arn) : undefined;
    if (row?.state !== "ACTIVE") return { kind: "none" };
    const { SubnetIds = [] } = JSON.parse(row.configuration_json) as VpcConfiguration;
    const networks = SubnetIds.flatMap((id) => (Object.hasOwn(subnets, id) ? (subnets[id] ?? []) : UNKNOWN_SUBNET));
    return { kind: "routes", networks: [...new Set(networks)] };
  };
}

/** Whether what these connectors open can change while a microVM runs. */
export function isEgressChangeable(connectors: readonly string[]): boolean {
  return connectors.some((arn) => parseConnectorArn(arn).kind === "customer");
}
