import type { EndpointName } from "./endpoint-name.ts";
import type { OutgoingFields } from "./http/outgoing-fields.ts";
import type { OfferedSubprotocols } from "./websocket-subprotocols.ts";

/** What the proxy itself needs of a request, checked. */
export interface RequestHead {
  readonly method: string;
  /** The host that both TLS and Host name; undefined when they differ. */
  readonly host: string | undefined;
  readonly token: string | undefined;
  /** The token came in the proxy's own cookie, which browsers send whoever made them ask. */
  readonly isCookie: boolean;
  /** Whether the request may use the cookie: it comes from a page of this endpoint, or is a person's own visit. */
  readonly isOwnOrigin: boolean;
  readonly port: number;
  /** Undefined when the request names none, and the port is the default. */
  readonly namedPort: number | undefined;
  readonly subprotocols: OfferedSubprotocols;
  readonly body: "none" | "sized" | "chunked";
  /** The application is to be spoken to in HTTP/2 without TLS (contract 6.1). */
  readonly isH2Forced: boolean;
  /** The endpoint that `host` names. */
  endpoint?: EndpointName | undefined;
  /** What the application gets of the fields. */
  forwarded?: OutgoingFields;
}
