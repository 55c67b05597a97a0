import type { EndpointTokens, PortScope } from "../auth/endpoint-token.ts";
import type { EndpointDirectory, EndpointTarget } from "../lifecycle/microvm-service.ts";
import { hasManagedConnector } from "../model/connectors.ts";
import { parseEndpointName } from "./endpoint-name.ts";
import { allowsPort } from "./port-scope.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

export interface Destination {
  readonly target: EndpointTarget;
  readonly port: number;
  /** A shell beside the application, and never the application. */
  readonly isShell: boolean;
}

export interface ResolveContext {
  readonly directory: EndpointDirectory;
  readonly tokens: EndpointTokens;
  readonly domain: string;
  readonly now: () => number;
}

/**
 * Where a request goes, or why nowhere. Nothing is woken here, and nobody without a token of the very microVM learns
 * whether it exists: an unknown host answers like a host the token is not for.
 */
export async function resolveDestination(head: RequestHead, context: ResolveContext): Promise<Destination | Refusal> {
  const claims = head.token === undefined ? undefined : await context.tokens.open(head.token);
  // Expiry counts only now, when a request begins; what it opened may outlive the token (contract 6.1).
  if (!claims || claims.expiresAt.getTime() <= context.now()) return { refused: "missing-authentication" };
  // What a browser carries opens nothing elsewhere, and nothing else opens from there.
  if (head.isCookie !== (claims.kind === "browser")) return { refused: "missing-authentication" };
  const name = head.host === undefined ? undefined : parseEndpointName(head.host, context.domain);
  const target = name && context.directory.find(name.label);
  if (!target || target.microvmId !== claims.microvmId) return { refused: "token-mismatch" };
  if (claims.kind === "shell")
    return admitsShell(target) ? { target, port: head.port, isShell: true } : { refused: "shell-token" };
  const port = (head.isCookie ? (head.namedPort ?? onlyPort(claims.ports)) : undefined) ?? head.port;
  if (!admitsHttp(target) || !allowsPort(claims.ports, port)) return { refused: "port-denied" };
  if (!head.isOwnOrigin) return { refused: "foreign-origin" };
  return { target, port, isShell: false };
}

/** A browser's cookie is for one port, which it need not name. */
function onlyPort([scope]: readonly PortScope[]): number | undefined {
  return scope !== undefined && "port" in scope ? scope.port : undefined;
}

function admitsShell({ ingressNetworkConnectors: connectors }: EndpointTarget): boolean {
  return hasManagedConnector(connectors, "SHELL_INGRESS") && !hasManagedConnector(connectors, "NO_INGRESS");
}

/** No connector at all means HTTP_INGRESS, the default (observed 2.8). */
function admitsHttp({ ingressNetworkConnectors: connectors }: EndpointTarget): boolean {
  if (hasManagedConnector(connectors, "NO_INGRESS")) return false;
  return (
    connectors.length === 0 ||
    hasManagedConnector(connectors, "ALL_INGRESS") ||
    hasManagedConnector(connectors, "HTTP_INGRESS")
  );
}
