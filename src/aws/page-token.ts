import { createHash } from "node:crypto";

/**
 * Page tokens carry their own position, so they outlive a restart; they are bound to the list they came from. They are
 * not secret and not signed: a forged one only moves the reader within a list that is theirs anyway.
 */
const VERSION = 1;
const MAX_TOKEN_CHARACTERS = 4096;

/** What a token belongs to: the operation, the account, the region and every path member. */
export type PageScope = readonly string[];

/** An opaque URL-safe token for "after this position". */
export function writePageToken(scope: PageScope, position: string): string {
  return Buffer.from(JSON.stringify([VERSION, digest(scope), position])).toString("base64url");
}

/** The position of a token of this very list; undefined for a malformed or foreign one. */
export function readPageToken(scope: PageScope, token: string): string | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 3) return undefined;
    const [version, owner, position] = value as unknown[];
    if (version !== VERSION || owner !== digest(scope) || typeof position !== "string") return undefined;
    return position;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

function digest(scope: PageScope): string {
  return createHash("sha256").update(JSON.stringify(scope)).digest("base64url").slice(0, 16);
}
