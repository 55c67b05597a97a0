import type { ClientExchange, RefusalMessage } from "../client-exchange.ts";
import { cookieField } from "./browser-cookie.ts";
import { BrowserLinks } from "./browser-links.ts";
import { fieldOf } from "../http/field-of.ts";
import type { Refusal } from "../refusal.ts";
import type { RequestHead } from "../request-head.ts";
import { findTarget, resolveDestination, type ResolveContext } from "../resolve-destination.ts";
import { REQUEST_ID } from "../http/request-id.ts";

/** Paths of every endpoint that the proxy answers itself (RFC 8615). */
export const OWN_PATHS = "/.well-known/catnap/";
const LINK_PATH = `${OWN_PATHS}link`;
const OPEN_PATH = `${OWN_PATHS}open/`;
/** As long as a microVM lives at most (contract 13). */
const COOKIE_LIFE_SECONDS = 8 * 3600;

/**
 * Lets a browser in, which can send no token by itself: POST to the link path, with a token of the API, gives a
 * one-time path; opening it sets a cookie for the port the token was for. Neither wakes the microVM.
 */
export class BrowserPages {
  readonly #context: ResolveContext;
  readonly #links: BrowserLinks;

  constructor(context: ResolveContext) {
    this.#context = context;
    this.#links = new BrowserLinks(context.now);
  }

  async answer(client: ClientExchange, head: RequestHead): Promise<"answered" | Refusal> {
    const path = client.path.split("?", 1)[0] ?? "";
    if (path === LINK_PATH) return await this.#makeLink(client, head);
    if (path.startsWith(OPEN_PATH)) return await this.#open(client, head, path.slice(OPEN_PATH.length));
    return reply(client, 404, "Not found");
  }

  async #makeLink(client: ClientExchange, head: RequestHead): Promise<"answered" | Refusal> {
    if (client.method !== "POST") return { refused: "method-not-allowed" };
    if (head.isCookie) return { refused: "missing-authentication" }; // a page must not make links to itself
    const destination = await resolveDestination(head, this.#context);
    if ("refused" in destination) return destination;
    if (destination.isShell) return { refused: "shell-token" };
    if (destination.isPublic) return { refused: "missing-authentication" }; // strangers must not use the links up
    const { code, expiresAt } = this.#links.create(destination.target.microvmId, destination.port);
    const body = JSON.stringify({ path: `${OPEN_PATH}${code}`, expiresAt: expiresAt.toISOString() });
    return reply(client, 201, body, { "content-type": "application/json" });
  }

  async #open(client: ClientExchange, head: RequestHead, code: string): Promise<"answered" | Refusal> {
    if (client.method !== "GET") return { refused: "method-not-allowed" };
    // What only looks ahead must not use the link up.
    if (/prefetch|prerender/i.test(fieldOf(client.rawHeaders, "sec-purpose") ?? ""))
      return reply(client, 503, "Not now");
    const target = findTarget(head, this.#context);
    const port = target && this.#links.redeem(code, target.microvmId);
    if (target === undefined || port === undefined) return { refused: "link-used" };
    const token = await this.#context.tokens.mint({
      microvmId: target.microvmId,
      kind: "browser",
      ports: [{ port }],
      expiresAt: new Date(this.#context.now() + COOKIE_LIFE_SECONDS * 1000),
    });
    return reply(client, 303, "", {
      location: "/",
      "set-cookie": cookieField(token, COOKIE_LIFE_SECONDS),
      "referrer-policy": "no-referrer",
    });
  }
}

function reply(
  client: ClientExchange,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): "answered" {
  const message: RefusalMessage = {
    status,
    headers: {
      [REQUEST_ID]: client.requestId,
      "cache-control": "private, no-store",
      "content-length": String(Buffer.byteLength(body)),
      ...(body === "" ? {} : { "content-type": "text/plain; charset=utf-8" }),
      ...headers,
    },
    body,
  };
  if (!client.isDone) client.reply(message);
  return "answered";
}
