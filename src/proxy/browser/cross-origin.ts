import type { ClientExchange } from "../client-exchange.ts";
import { fieldOf } from "../http/field-of.ts";

const PREFLIGHT_SECONDS = 600;
/** What a page may read of an answer by name. */
const TOKEN_LIST = /^[!#$%&'*+\-.^_`|~0-9A-Za-z, ]{1,4096}$/;

/** Pages of which other origins may call endpoints from a browser, with a token in a header (never with the cookie). */
export class CrossOrigin {
  readonly #allowed: ReadonlySet<string>;

  /** `origins`: separated by commas; `*` for all. */
  constructor(origins: string) {
    this.#allowed = new Set(
      origins
        .split(",")
        .map((origin) => origin.trim())
        .filter((origin) => origin !== ""),
    );
  }

  get isOff(): boolean {
    return this.#allowed.size === 0;
  }

  /** The origin of a request, if it may read the answer. */
  originOf({ rawHeaders }: ClientExchange): string | undefined {
    if (this.isOff) return undefined;
    const origin = fieldOf(rawHeaders, "origin");
    return origin !== undefined && (this.#allowed.has(origin) || this.#allowed.has("*")) ? origin : undefined;
  }

  /** The answer to the question a browser asks first, which carries no token; undefined for any other request. */
  preflightAnswer(client: ClientExchange, origin: string): Record<string, string> | undefined {
    if (client.method !== "OPTIONS") return undefined;
    const method = fieldOf(client.rawHeaders, "access-control-request-method");
    if (method === undefined || !TOKEN_LIST.test(method)) return undefined;
    const headers = fieldOf(client.rawHeaders, "access-control-request-headers");
    return {
      ...corsHeaders(origin),
      "access-control-allow-methods": method,
      ...(headers !== undefined && TOKEN_LIST.test(headers) ? { "access-control-allow-headers": headers } : {}),
      "access-control-max-age": String(PREFLIGHT_SECONDS),
      "content-length": "0",
    };
  }
}

export function corsHeaders(origin: string): Record<string, string> {
  return { "access-control-allow-origin": origin, "access-control-expose-headers": "*", vary: "Origin" };
}

/** Adds what lets the page read an answer, where the application has not decided so itself. */
export function addCorsHeaders(headers: string[], origin: string): void {
  if (fieldOf(headers, "access-control-allow-origin") !== undefined) return;
  for (const [name, value] of Object.entries(corsHeaders(origin))) headers.push(name, value);
}
