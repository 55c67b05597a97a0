import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { callbackify } from "node:util";
import type { CertificateAuthority } from "../../auth/certificate-authority.ts";
import { AppError } from "../../errors/app-error.ts";
import type { Log } from "../../observability/log.ts";
import { endpointWildcard, parseEndpointName } from "../endpoint-name.ts";

const HANDSHAKE_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_PROBE_MS = 60_000;
/** Tries to find a port free on both loopback addresses when any port will do. */
const FREE_PORT_TRIES = 10;

export interface ListenerOptions {
  readonly bind: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly domain: string;
  readonly region: string;
  readonly certificates: CertificateAuthority;
  /** Takes a connection; its `alpnProtocol` says what the client speaks. */
  readonly onClient: (socket: TLSSocket) => void;
  readonly log: Log;
}

export interface Listening {
  readonly port: number;
  readonly servers: readonly Server[];
}

/** Opens the TLS listener on `bind`, and on the other loopback address when `bind` is one: *.localhost may be either. */
export async function listenForEndpoints(options: ListenerOptions): Promise<Listening> {
  const addresses = addressesOf(options.bind);
  for (let attempt = 1; ; attempt++) {
    const listening = await tryListen(options, addresses);
    if (listening) return listening;
    if (options.port !== 0 || attempt === FREE_PORT_TRIES) throw portTaken(options.port, addresses.slice(1));
  }
}

function addressesOf(bind: string): string[] {
  if (bind === "127.0.0.1" || bind === "localhost") return ["127.0.0.1", "::1"];
  return bind === "::1" ? ["::1", "127.0.0.1"] : [bind];
}

/** Undefined when a further address does not have the port that the first one got. */
async function tryListen(options: ListenerOptions, [first = "", ...others]: string[]): Promise<Listening | undefined> {
  const main = createEndpointServer(options);
  await listen(main, options.port, first).catch((cause: NodeJS.ErrnoException) => {
    throw listenError(cause, options.port, first);
  });
  const { port } = main.address() as AddressInfo;
  const servers = [main];
  for (const address of others) {
    const server = createEndpointServer(options);
    try {
      await listen(server, port, address);
      servers.push(server);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") continue; // a host without this address family
      for (const open of servers) open.close();
      return undefined;
    }
  }
  return { port, servers };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen({ port, host });
  await once(server, "listening");
}

function createEndpointServer(options: ListenerOptions): Server {
  const server = createServer({
    SNICallback: callbackify((name: string) => contextOf(name, options)),
    ALPNProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.2",
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true, // clients whose host is gone are found out
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
  });
  server.on("secureConnection", options.onClient);
  server.on("tlsClientError", (error) => options.log.debug({ err: error }, "a TLS handshake failed"));
  return server;
}

/** A foreign name gets the region's certificate too, so that a client which insists reads a refusal and not an alert. */
function contextOf(name: string, options: ListenerOptions): Promise<SecureContext | undefined> {
  const region = parseEndpointName(name.replace(/\.$/, ""), options.domain)?.region ?? options.region;
  return options.certificates.contextFor(endpointWildcard(region, options.domain));
}

function listenError(cause: NodeJS.ErrnoException, port: number, host: string): AppError {
  if (cause.code === "EADDRINUSE") return portTaken(port, [host]);
  const hint =
    cause.code === "EACCES" ? "; ports below 1024 need root, or set CATNAP_ENDPOINT_PORT" : "; check CATNAP_BIND";
  return new AppError("ERR_CONFIG_INVALID", {
    message: `Cannot listen on ${host} port ${port} (${cause.code})${hint}`,
    cause,
  });
}

function portTaken(port: number, hosts: readonly string[]): AppError {
  const message = `Port ${port} of ${hosts.join(", ")} is taken by another program; stop it, or set CATNAP_ENDPOINT_PORT`;
  return new AppError("ERR_CONFIG_INVALID", { message });
}
