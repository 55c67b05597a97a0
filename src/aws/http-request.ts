import type { IncomingMessage } from "node:http";

/** The parts of a request line and its headers, undone no further than both signature and routing allow. */
export interface ParsedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a query value holds an "=" that should have been percent-encoded. */
  readonly hasBareEquals: boolean;
}

/** Throws URIError for a query that is not correctly percent-encoded. */
export function parseHttpRequest(request: IncomingMessage): ParsedRequest {
  const url = request.url ?? "/";
  const at = url.indexOf("?");
  const path = at === -1 ? url : url.slice(0, at);
  if (!path.startsWith("/")) throw new URIError("The request target is not a path");
  const search = at === -1 ? "" : url.slice(at + 1);
  return {
    method: request.method ?? "GET",
    path,
    query: parseQuery(search),
    headers: joinHeaders(request),
    hasBareEquals: /=[^&]*=/.test(search),
  };
}

function parseQuery(text: string): [string, string][] {
  return text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at === -1 ? [decode(pair), ""] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
    });
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** Node drops or joins repeated headers by its own rules; signatures are made over all of them. */
function joinHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(request.headersDistinct)) if (values) headers[name] = values.join(",");
  return headers;
}
