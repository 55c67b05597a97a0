import type { IncomingMessage } from "node:http";

/**
 * Whether a request may leave HTTP. Anything else with an Upgrade field is an ordinary request, as RFC 9110 (7.8)
 * allows: one with a body could hide a second request in it, and h2c would carry requests past the proxy unseen.
 */
export function mayUpgrade({ method, httpVersionMinor, headers }: IncomingMessage): boolean {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
  const protocol = headers.upgrade ?? "";
  return method === "GET" && httpVersionMinor === 1 && !hasBody && protocol !== "" && !/\bh2c?\b/i.test(protocol);
}
