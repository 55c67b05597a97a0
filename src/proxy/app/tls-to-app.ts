import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";

const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface TlsOptions {
  readonly serverName: string | undefined;
  readonly protocols: readonly ("h2" | "http/1.1")[];
}

/**
 * TLS with an application over a relayed connection; undefined when it does not speak TLS. Its certificate is not
 * checked: it is its own, and the other end of a relay is the microVM whatever a certificate says.
 */
export function secureToApp(relayed: Duplex, { serverName, protocols }: TlsOptions): Promise<TLSSocket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      socket: relayed,
      ALPNProtocols: [...protocols],
      rejectUnauthorized: false,
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
    const settle = (result: TLSSocket | undefined): void => {
      clearTimeout(timer);
      socket.off("secureConnect", onSecure).off("error", onFailed).off("close", onFailed);
      if (result === undefined) {
        socket.on("error", () => {}).destroy();
        relayed.destroy();
      }
      resolve(result);
    };
    const onSecure = (): void => settle(socket);
    const onFailed = (): void => settle(undefined);
    const timer = setTimeout(onFailed, HANDSHAKE_TIMEOUT_MS);
    socket.once("secureConnect", onSecure).once("error", onFailed).once("close", onFailed);
  });
}
