import type { PortScope } from "../auth/endpoint-token.ts";

/** Used when neither header nor subprotocol names a port (contract 6.1). */
export const DEFAULT_PORT = 8080;

/** A port number in plain decimal, 1–65535; undefined for anything else. */
export function parsePort(text: string): number | undefined {
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

export function allowsPort(scopes: readonly PortScope[], port: number): boolean {
  return scopes.some((scope) => {
    if ("port" in scope) return scope.port === port;
    if ("range" in scope) return scope.range.startPort <= port && port <= scope.range.endPort;
    return true;
  });
}
