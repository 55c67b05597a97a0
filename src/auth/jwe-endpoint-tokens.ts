import { compactDecrypt, CompactEncrypt } from "jose";
import { ServiceFault } from "../errors/service-fault.ts";
import { decodeClaims, encodeClaims } from "./endpoint-token-claims.ts";
import { openEndpointTokenKeys, type EndpointTokenKey } from "./endpoint-token-keys.ts";
import type { EndpointTokens, TokenClaims } from "./endpoint-token.ts";

/** Longest value of CreateMicrovmAuthToken's map (contract, appendix A). */
export const MAX_TOKEN_CHARACTERS = 8000;
/** Plaintext sizes that give tokens of 767 and 823 characters, as the service's are (observed 2.5). */
const PLAINTEXT_BYTES = { allPorts: 469, portList: 511 } as const;
/** Opened tokens remembered, so that a warm request does not decrypt; only genuine tokens get in. */
const MAX_REMEMBERED = 4096;
/** 16 bytes, encoded. */
const TAG_CHARACTERS = 22;

interface OpeningKey extends EndpointTokenKey {
  /** The only protected header this key is used under, encoded. */
  readonly header: string;
}

/** Endpoint tokens with the keys of a file, which is made on first use. */
export async function openJweEndpointTokens(keyFile: string): Promise<EndpointTokens> {
  return jweEndpointTokens(await openEndpointTokenKeys(keyFile));
}

/** `keys`: newest first; the first mints, all open. */
export function jweEndpointTokens(keys: readonly EndpointTokenKey[]): EndpointTokens {
  // A token is looked up by its whole encoded header: other algorithms, keys, `zip` or `crit` cannot even be spelled.
  const byHeader = new Map(keys.map((key) => [encodedHeader(key.kid), { ...key, header: encodedHeader(key.kid) }]));
  const minting = keys[0];
  if (!minting) throw new TypeError("Endpoint tokens need at least one key");
  const remembered = new OpenedTokens();

  async function openNew(token: string): Promise<TokenClaims | undefined> {
    if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
    const key = byHeader.get(token.slice(0, token.indexOf(".")));
    const claims = key && (await decrypt(token, key));
    if (claims) remembered.set(token, claims);
    return claims;
  }

  return { mint: (claims) => encrypt(claims, minting), open: (token) => remembered.get(token) ?? openNew(token) };
}

/** Tokens that were opened, by their ends: these are of the authentication tag, and shorter to look up than the whole. */
class OpenedTokens {
  readonly #byEnd = new Map<string, { readonly token: string; readonly claims: TokenClaims }>();

  get(token: string): TokenClaims | undefined {
    const known = this.#byEnd.get(token.slice(-TAG_CHARACTERS));
    return known?.token === token ? known.claims : undefined;
  }

  set(token: string, claims: TokenClaims): void {
    this.#byEnd.set(token.slice(-TAG_CHARACTERS), { token, claims });
    const oldest = this.#byEnd.keys().next().value;
    if (this.#byEnd.size > MAX_REMEMBERED && oldest !== undefined) this.#byEnd.delete(oldest);
  }
}

/** Member order is part of the contract (6.2). */
function protectedHeader(kid: string): { kid: string; alg: string; enc: string } {
  return { kid, alg: "dir", enc: "A256GCM" };
}

function encodedHeader(kid: string): string {
  return Buffer.from(JSON.stringify(protectedHeader(kid))).toString("base64url");
}

async function encrypt(claims: TokenClaims, key: EndpointTokenKey): Promise<string> {
  const text = encodeClaims(claims);
  const isAllPorts = claims.ports.some((scope) => "allPorts" in scope);
  // JSON allows trailing blanks, so padding needs no member of its own.
  const padded = text.padEnd(isAllPorts ? PLAINTEXT_BYTES.allPorts : PLAINTEXT_BYTES.portList, " ");
  const encryption = new CompactEncrypt(new TextEncoder().encode(padded));
  const token = await encryption.setProtectedHeader(protectedHeader(key.kid)).encrypt(key.secret);
  if (token.length <= MAX_TOKEN_CHARACTERS) return token;
  const message = `allowedPorts has ${claims.ports.length} entries, which make a token longer than ${MAX_TOKEN_CHARACTERS} characters; use ranges or allPorts`;
  throw new ServiceFault("ValidationException", message);
}

async function decrypt(token: string, key: OpeningKey): Promise<TokenClaims | undefined> {
  try {
    const { plaintext } = await compactDecrypt(token, key.secret, {
      keyManagementAlgorithms: ["dir"],
      contentEncryptionAlgorithms: ["A256GCM"],
    });
    return decodeClaims(new TextDecoder().decode(plaintext));
  } catch {
    return undefined; // Whatever is wrong with a token, its bearer learns only that it opens nothing.
  }
}
