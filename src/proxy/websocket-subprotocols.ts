const MARKER = "lambda-microvms";
const TOKEN_PREFIX = `${MARKER}.authentication.`;
const PORT_PREFIX = `${MARKER}.port.`;

/** The offered subprotocols, the proxy's own taken out (contract 6.4). */
export interface OfferedSubprotocols {
  readonly hasMarker: boolean;
  readonly tokens: readonly string[];
  readonly ports: readonly string[];
  /** What the application gets to see. */
  readonly application: readonly string[];
}

const NONE: OfferedSubprotocols = { hasMarker: false, tokens: [], ports: [], application: [] };

/** What the proxy answers when the application chooses none. */
export const MARKER_SUBPROTOCOL = MARKER;

/** Reads all Sec-WebSocket-Protocol values of a request. */
export function parseSubprotocols(values: readonly string[]): OfferedSubprotocols {
  if (values.length === 0) return NONE;
  const offered = values.flatMap((value) => value.split(",").map((item) => item.trim())).filter((item) => item !== "");
  const isOurs = (item: string) => item === MARKER || item.startsWith(TOKEN_PREFIX) || item.startsWith(PORT_PREFIX);
  return {
    hasMarker: offered.includes(MARKER),
    tokens: suffixes(offered, TOKEN_PREFIX),
    ports: suffixes(offered, PORT_PREFIX),
    application: offered.filter((item) => !isOurs(item)),
  };
}

function suffixes(offered: readonly string[], prefix: string): string[] {
  return offered.filter((item) => item.startsWith(prefix)).map((item) => item.slice(prefix.length));
}
