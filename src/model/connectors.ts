import { parseArn } from "./arn.ts";

/** Managed connectors (contract 8.1). NO_EGRESS is ours: the service has no way to close the network without a VPC. */
export const MANAGED_CONNECTORS = {
  ALL_INGRESS: "ingress",
  HTTP_INGRESS: "ingress",
  SHELL_INGRESS: "ingress",
  NO_INGRESS: "ingress",
  INTERNET_EGRESS: "egress",
  NO_EGRESS: "egress",
} as const;

export type ManagedConnector = keyof typeof MANAGED_CONNECTORS;
export type ConnectorDirection = (typeof MANAGED_CONNECTORS)[ManagedConnector];

export type ParsedConnector =
  | { readonly kind: "managed"; readonly name: ManagedConnector; readonly region: string }
  /** Ours: opens one port to anybody, without a token (`PUBLIC_INGRESS_<port>`). */
  | { readonly kind: "public-port"; readonly port: number; readonly region: string }
  | { readonly kind: "unknown-managed" }
  | { readonly kind: "customer"; readonly account: string; readonly region: string; readonly id: string }
  | { readonly kind: "malformed" };

const MANAGED_PREFIX = "network-connector:aws-network-connector:";
const PUBLIC_NAME = /^PUBLIC_INGRESS_([1-9]\d{0,4})$/;
const MAX_PORT = 65_535;
const CUSTOMER_RESOURCE = /^network-connector:([a-zA-Z0-9-_]+)$/;

/** Reads a network connector ARN (contract 2.5). */
export function parseConnectorArn(text: string): ParsedConnector {
  const arn = parseArn(text);
  if (!arn || arn.service !== "lambda" || arn.region === "") return { kind: "malformed" };
  if (arn.account === "aws") {
    if (!arn.resource.startsWith(MANAGED_PREFIX)) return { kind: "malformed" };
    const name = arn.resource.slice(MANAGED_PREFIX.length);
    const port = Number(PUBLIC_NAME.exec(name)?.[1]);
    if (port <= MAX_PORT) return { kind: "public-port", port, region: arn.region };
    if (!Object.hasOwn(MANAGED_CONNECTORS, name)) return { kind: "unknown-managed" };
    return { kind: "managed", name: name as ManagedConnector, region: arn.region };
  }
  const id = CUSTOMER_RESOURCE.exec(arn.resource)?.[1];
  if (id === undefined || !/^\d{12}$/.test(arn.account)) return { kind: "malformed" };
  return { kind: "customer", account: arn.account, region: arn.region, id };
}

export function managedConnectorArn(region: string, name: ManagedConnector): string {
  return `arn:aws:lambda:${region}:aws:${MANAGED_PREFIX}${name}`;
}

/** Whether one of the connectors is the managed one of that name. */
export function hasManagedConnector(arns: readonly string[], name: ManagedConnector): boolean {
  return arns.some((arn) => {
    const connector = parseConnectorArn(arn);
    return connector.kind === "managed" && connector.name === name;
  });
}

/** The ports among a microVM's connectors that need no token. */
export function publicPorts(arns: readonly string[]): number[] {
  return arns.flatMap((arn) => {
    const connector = parseConnectorArn(arn);
    return connector.kind === "public-port" ? [connector.port] : [];
  });
}
