import { z } from "zod";
import type { PortScope, TokenClaims } from "./endpoint-token.ts";

/** Short names, as a token travels with every request; ports as "8080,9000-9100" or "*". */
const wireClaims = z.object({
  m: z.string().min(1).max(256),
  k: z.enum(["http", "shell", "browser"]),
  p: z.string(),
  /** Epoch milliseconds. */
  e: z.number().int().nonnegative(),
});

const PORT_ITEM = /^(\d{1,5})(?:-(\d{1,5}))?$/;

export function encodeClaims(claims: TokenClaims): string {
  const p = claims.ports.map(portText).join(",");
  return JSON.stringify({ m: claims.microvmId, k: claims.kind, p, e: claims.expiresAt.getTime() });
}

/** Claims of a decrypted token; undefined when they are not of this form. */
export function decodeClaims(text: string): TokenClaims | undefined {
  const parsed = wireClaims.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { m, k, p, e } = parsed.data;
  const ports = p === "" ? [] : p.split(",").map(parsePort);
  if (!ports.every((port) => port !== undefined)) return undefined;
  const expiresAt = new Date(e);
  return Number.isNaN(expiresAt.getTime()) ? undefined : { microvmId: m, kind: k, ports, expiresAt };
}

function portText(scope: PortScope): string {
  if ("port" in scope) return String(scope.port);
  if ("range" in scope) return `${scope.range.startPort}-${scope.range.endPort}`;
  return "*";
}

function parsePort(item: string): PortScope | undefined {
  if (item === "*") return { allPorts: {} };
  const match = PORT_ITEM.exec(item);
  if (!match) return undefined;
  const [, first, last] = match;
  if (last === undefined) return { port: Number(first) };
  return { range: { startPort: Number(first), endPort: Number(last) } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
