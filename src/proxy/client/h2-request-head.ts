import type { H2RequestHead } from "./h2-client-exchange.ts";

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;

/**
 * Reads the fields of an HTTP/2 request as HTTP/1.1 has them: `:authority` becomes Host, pieces of Cookie one field
 * (RFC 9113, 8.2.3, 8.3.1). Undefined when they are no request.
 */
export function readH2Head(raw: readonly string[]): H2RequestHead | undefined {
  const pseudo: Record<string, string> = {};
  const rest: string[] = [];
  const cookies: string[] = [];
  const hosts: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    if (name.startsWith(":")) pseudo[name] = value;
    else if (name === "cookie") cookies.push(value);
    else if (name === "host") hosts.push(value);
    else rest.push(name, value);
  }
  const { ":method": method = "", ":path": path = "", ":authority": authority, ":protocol": protocol } = pseudo;
  if (!METHOD.test(method) || (protocol !== undefined && (method !== "CONNECT" || !METHOD.test(protocol))))
    return undefined;
  // Two names of one host would be two opinions on where the request goes.
  if (authority !== undefined && hosts.some((host) => host.toLowerCase() !== authority.toLowerCase())) return undefined;
  const host = authority ?? hosts[0];
  const rawHeaders = host === undefined ? rest : ["host", host, ...rest];
  if (cookies.length > 0) rawHeaders.push("cookie", cookies.join("; "));
  return { method, path, rawHeaders, protocol };
}
