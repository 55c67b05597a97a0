import type { EndpointTokens, PortScope, TokenClaims } from "../auth/endpoint-token.ts";
import type { EndpointDirectory, EndpointTarget } from "../lifecycle/microvm-service.ts";
import { hasManagedConnector, publicPorts } from "../model/connectors.ts";
import { parseEndpointName } from "./endpoint-name.ts";
import { allowsPort } from "./port-scope.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

export interface Destination {
  readonly target: EndpointTarget;
  readonly port: number;
  /** A shell beside the application, and never the application. */
  readonly isShell: boolean;
  /** Open to anybody: the request proved nothing. */
  readonly isPublic: boolean;
}

export interface ResolveContext {
  readonly directory: EndpointDirectory;
  readonly tokens: EndpointTokens;
  readonly domain: string;
  readonly now: () => number;
}

/**
 * Where a request goes, or why nowhere. Nothing is woken here, and nobody without a token of the very microVM learns
 * whether it exists, unless it has public ports: an unknown host answers like a host the token is not for.
 */
export function resolveDestination(
  head: RequestHead,
  context: ResolveContext,
): Destination | Refusal | Promise<Destination | Refusal> {
  const claims = head.token === undefined ? undefined : context.tokens.open(head.token);
  if (claims instanceof Promise) return claims.then((opened) => byClaims(opened, head, context));
  return byClaims(claims, head, context); // a warm request waits for nothing
}

function byClaims(claims: TokenClaims | undefined, head: RequestHead, context: ResolveContext): Destination | Refusal {
  const destination = byToken(claims, head, context);
  return "refused" in destination ? (publicDestination(head, context) ?? destination) : destination;
}

function byToken(claims: TokenClaims | undefined, head: RequestHead, context: ResolveContext): Destination | Refusal {
  // Expiry counts only now, when a request begins; what it opened may outlive the token (contract 6.1).
  if (!claims || claims.expiresAt.getTime() <= context.now()) return { refused: "missing-authentication" };
  // What a browser carries opens nothing elsewhere, and nothing else opens from there.
  if (head.isCookie !== (claims.kind === "browser")) return { refused: "missing-authentication" };
  const target = findTarget(head, context);
  if (!target || target.microvmId !== claims.microvmId) return { refused: "token-mismatch" };
  if (claims.kind === "shell") {
    if (!admitsShell(target)) return { refused: "shell-token" };
    return { target, port: head.port, isShell: true, isPublic: false };
  }
  const port = (head.isCookie ? (head.namedPort ?? onlyPort(claims.ports)) : undefined) ?? head.port;
  if (!admitsHttp(target, port) || !allowsPort(claims.ports, port)) return { refused: "port-denied" };
  if (!head.isOwnOrigin) return { refused: "foreign-origin" };
  return { target, port, isShell: false, isPublic: false };
}

/** A page visit names no port: it gets the microVM's only public one, or else the default one if that is public. */
function publicDestination(head: RequestHead, context: ResolveContext): Destination | undefined {
  const target = findTarget(head, context);
  const ports = target === undefined ? [] : publicPorts(target.ingressNetworkConnectors);
  const port = head.namedPort ?? (ports.length === 1 ? ports[0] : undefined) ?? head.port;
  if (target === undefined || !ports.includes(port)) return undefined;
  return { target, port, isShell: false, isPublic: true };
}

/** The microVM that the host names. */
export function findTarget(head: RequestHead, { domain, directory }: ResolveContext): EndpointTarget | undefined {
  head.endpoint ??= head.host === undefined ? undefined : parseEndpointName(head.host, domain);
  return head.endpoint && directory.find(head.endpoint.label);
}

/** A browser's cookie is for one port, which it need not name. */
function onlyPort([scope]: readonly PortScope[]): number | undefined {
  return scope !== undefined && "port" in scope ? scope.port : undefined;
}

function admitsShell({ ingressNetworkConnectors: connectors }: EndpointTarget): boolean {
  return hasManagedConnector(connectors, "SHELL_INGRESS") && !hasManagedConnector(connectors, "NO_INGRESS");
}

/** No connector at all means HTTP_INGRESS, the default (observed 2.8). */
function admitsHttp({ ingressNetworkConnectors: connectors }: EndpointTarget, port: number): boolean {
  if (hasManagedConnector(connectors, "NO_INGRESS")) return false;
  return (
    connectors.length === 0 ||
    hasManagedConnector(connectors, "ALL_INGRESS") ||
    hasManagedConnector(connectors, "HTTP_INGRESS") ||
    publicPorts(connectors).includes(port)
  );
}
