import type { TLSSocket } from "node:tls";

/** The TLS server name; undefined when the client sent none. */
export function serverNameOf(socket: TLSSocket): string | undefined {
  const name: unknown = socket.servername; // `false` when there is none; the types do not say so
  return typeof name === "string" ? name : undefined;
}
