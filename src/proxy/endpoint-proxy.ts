import { randomUUID } from "node:crypto";
import type { Server } from "node:tls";
import type { CertificateAuthority } from "../auth/certificate-authority.ts";
import type { EndpointTokens } from "../auth/endpoint-token.ts";
import type { Config } from "../config/options.ts";
import type { EndpointDirectory } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import { ShellServer } from "../shell/shell-server.ts";
import { BrowserPages } from "./browser/browser-pages.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { CrossOrigin } from "./browser/cross-origin.ts";
import { listenForEndpoints, type Listening } from "./client/endpoint-listener.ts";
import { ExchangeObserver } from "./exchange-record.ts";
import { ExchangeServer } from "./exchange-server.ts";
import type { ClientLimits } from "./client/client-limits.ts";
import { H1Clients } from "./client/h1-clients.ts";
import { H2Clients } from "./client/h2-clients.ts";
import { MicrovmLimits, type TierOf } from "./microvm-limits.ts";
import { MicrovmLives } from "./microvm-lives.ts";
import { ProxyMetrics } from "./proxy-metrics.ts";
import { ShellDoor } from "./shell-door.ts";
import { StallWatch, type StallLimits } from "./client/stall-watch.ts";

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
  /** How slow clients may be: 30 s for a head, 65 s between requests. */
  readonly clientLimits?: ClientLimits;
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
  const serve = (client: ClientExchange): void => exchanges.serve(client);
  const http1 = new H1Clients({ serve, nextId: randomUUID, limits: options.clientLimits });
  const http2 = new H2Clients({ serve, nextId: randomUUID, limits: options.clientLimits, log });
  let listening: Listening | undefined;

  return {
    async listen() {
      listening = await listenForEndpoints({
        bind: config.bind,
        port: config.endpointPort,
        domain: config.domain,
        region: config.region,
        certificates,
        onClient: (socket) => (socket.alpnProtocol === "h2" ? http2 : http1).accept(socket),
        log,
      });
      return { port: listening.port };
    },
    metrics: () => metrics.render(),
    async close() {
      stalls.close();
      shells.close();
      const closed = (listening?.servers ?? []).map(closeServer);
      http1.close();
      http2.close();
      const cut = (): void => {
        http1.destroy();
        http2.destroy();
      };
      const timer = setTimeout(cut, CLOSE_GRACE_MS); // the servers wait for these as well
      await Promise.all(closed);
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

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
