import { randomUUID } from "node:crypto";
import { ServerResponse, type IncomingMessage } from "node:http";
import type { Server } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { CertificateAuthority } from "../auth/certificate-authority.ts";
import type { EndpointTokens } from "../auth/endpoint-token.ts";
import type { Config } from "../config/options.ts";
import type { EndpointDirectory } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import { ShellServer } from "../shell/shell-server.ts";
import { BrowserPages } from "./browser-pages.ts";
import { clientErrorHandler, OpenAnswers } from "./client-errors.ts";
import { CrossOrigin } from "./cross-origin.ts";
import { listenForEndpoints, type Listening } from "./endpoint-listener.ts";
import { ExchangeObserver } from "./exchange-record.ts";
import { ExchangeServer } from "./exchange-server.ts";
import { H1ClientExchange } from "./h1-client-exchange.ts";
import { H2Clients } from "./h2-clients.ts";
import { MicrovmLimits, type TierOf } from "./microvm-limits.ts";
import { MicrovmLives } from "./microvm-lives.ts";
import { ProxyMetrics } from "./proxy-metrics.ts";
import { rawRefusal } from "./refusal.ts";
import { ShellDoor } from "./shell-door.ts";
import { StallWatch, type StallLimits } from "./stall-watch.ts";

/** How long open requests may go on once the proxy closes. */
const CLOSE_GRACE_MS = 2000;

export interface EndpointProxyOptions {
  readonly directory: EndpointDirectory;
  readonly tokens: EndpointTokens;
  readonly certificates: CertificateAuthority;
  readonly config: Pick<Config, "bind" | "endpointPort" | "domain" | "region"> &
    Partial<Pick<Config, "corsOrigins" | "accessLog" | "logLevel">>;
  /** Sizes of microVMs, for the limits of contract 3.8 and 13; left out where they are off. */
  readonly tierOf?: TierOf | undefined;
  readonly stalls?: StallLimits;
  readonly log: Log;
  readonly now?: () => number;
  /** Longest a request is held for a waking microVM; 60 s. */
  readonly wakeDeadlineMs?: number;
  /** Requests held per waking microVM; 1024. */
  readonly maxWaiting?: number;
}

export interface EndpointProxy {
  /** Resolves once the endpoints accept connections, with the port in use. */
  listen(): Promise<{ port: number }>;
  /** A page for Prometheus. */
  metrics(): string;
  /** Stops accepting, lets open requests end for a moment, then cuts what is left. */
  close(): Promise<void>;
}

/** The data plane: TLS in, one microVM's application out (contract 6). */
export function createEndpointProxy(options: EndpointProxyOptions): EndpointProxy {
  const { certificates, config, log } = options;
  const metrics = new ProxyMetrics();
  const lives = new MicrovmLives({ ...options, onWake: (microvmId) => metrics.onWake(microvmId) });
  const stalls = new StallWatch(options.stalls);
  const shells = new ShellServer({ log });
  const exchanges = createExchangeServer(options, { metrics, lives, stalls, shells });
  const http2 = new H2Clients({ serve: (client) => void exchanges.serve(client), nextId: randomUUID, log });
  const upgraded = new Set<Duplex>();
  let listening: Listening | undefined;

  return {
    async listen() {
      listening = await listenForEndpoints({
        bind: config.bind,
        port: config.endpointPort,
        domain: config.domain,
        region: config.region,
        certificates,
        equip: (server) => equip(server, exchanges, upgraded, log),
        onHttp2: (socket) => http2.accept(socket),
      });
      return { port: listening.port };
    },
    metrics: () => metrics.render(),
    async close() {
      stalls.close();
      shells.close();
      http2.close();
      const cut = (): void => {
        http2.destroy();
        for (const socket of upgraded) socket.destroy();
      };
      const timer = setTimeout(cut, CLOSE_GRACE_MS); // the servers wait for these as well
      await Promise.all((listening?.servers ?? []).map(closeServer));
      clearTimeout(timer);
      cut();
      lives.close();
    },
  };
}

interface ExchangeParts {
  readonly metrics: ProxyMetrics;
  readonly lives: MicrovmLives;
  readonly stalls: StallWatch;
  readonly shells: ShellServer;
}

function createExchangeServer(
  { directory, tokens, config, log, tierOf, now = Date.now }: EndpointProxyOptions,
  { metrics, lives, stalls, shells }: ExchangeParts,
): ExchangeServer {
  const context = { directory, tokens, domain: config.domain, now };
  const quiet = config.logLevel === "debug" ? ("debug" as const) : undefined;
  return new ExchangeServer({
    context,
    lives,
    stalls,
    log,
    shells: new ShellDoor(shells),
    pages: new BrowserPages(context),
    crossOrigin: new CrossOrigin(config.corsOrigins ?? ""),
    limits: tierOf && new MicrovmLimits(tierOf),
    observer: new ExchangeObserver({ metrics, log, level: config.accessLog === "on" ? "info" : quiet }),
  });
}

function equip(server: Server, exchanges: ExchangeServer, upgraded: Set<Duplex>, log: Log): void {
  const open = new OpenAnswers();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    open.add(socket);
    response.once("close", () => open.remove(socket));
    void exchanges.serve(new H1ClientExchange(request, response, randomUUID()));
  };
  server.on("request", serve);
  server.on("checkContinue", serve);
  server.on("upgrade", (request, duplex, early) => {
    const socket = duplex as TLSSocket; // the server makes no other
    // An upgrade behind unanswered requests would let its bytes overtake their answers.
    if (open.of(socket) > 0) return void socket.destroy();
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    const response = attachResponse(request, socket);
    void exchanges.serve(new H1ClientExchange(request, response, randomUUID(), { socket, early }));
  });
  server.on("connect", (_request, socket) => socket.end(rawRefusal({ refused: "method-not-allowed" }, randomUUID())));
  server.on("clientError", clientErrorHandler(open));
  server.on("tlsClientError", (error) => log.debug({ err: error }, "a TLS handshake failed"));
}

/** node hands over the bare connection of an upgrade; until the protocol changes, answers on it are still HTTP. */
function attachResponse(request: IncomingMessage, socket: TLSSocket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  socket.on("error", () => socket.destroy());
  socket.on("drain", () => response.emit("drain"));
  response.once("finish", () => socket.destroySoon());
  return response;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
