import type { Log } from "../observability/log.ts";
import type { Activity } from "./activity.ts";
import type { ClientExchange } from "./client-exchange.ts";
import type { ProxyMetrics } from "./proxy-metrics.ts";
import type { RefusalKind } from "./refusal.ts";
import type { RequestBody } from "./client/request-body.ts";

const MAX_LOGGED_PATH = 256;

/** What is known of one exchange while it lasts. */
export class ExchangeRecord {
  readonly client: ClientExchange;
  readonly startedAt = performance.now();
  microvmId: string | undefined;
  port: number | undefined;
  activity: Activity | undefined;
  body: RequestBody | undefined;
  refused: RefusalKind | undefined;
  /** Kept by the watch for stalled clients. */
  lastBytes = 0;
  stillSince = this.startedAt;

  constructor(client: ClientExchange) {
    this.client = client;
  }

  /** The application could take more of the request, and the client sends none. */
  get isBodyAwaited(): boolean {
    return this.body?.isAwaited === true;
  }

  get bytes(): number {
    return (this.activity?.received ?? 0) + (this.activity?.sent ?? 0);
  }
}

interface ObserverOptions {
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  /** Undefined writes no line per request. */
  readonly level: "info" | "debug" | undefined;
}

/** Counts exchanges, and writes a line for each when it is over. */
export class ExchangeObserver {
  readonly #options: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  onBegin(): void {
    this.#options.metrics.onBegin();
  }

  onEnd(record: ExchangeRecord): void {
    const { client, microvmId, refused, activity, startedAt } = record;
    const { status, version, begunAt } = client;
    const firstByteMs = begunAt === undefined ? undefined : begunAt - startedAt;
    const { received, sent } = activity ?? NOTHING;
    this.#options.metrics.onEnd({ microvmId, version, status, refused, received, sent, firstByteMs });
    if (this.#options.level !== undefined) this.#write(this.#options.level, record, firstByteMs);
  }

  #write(level: "info" | "debug", record: ExchangeRecord, firstByteMs: number | undefined): void {
    const { client, microvmId, port, refused, activity, startedAt } = record;
    const { requestId, method, version, status } = client;
    this.#options.log[level](
      {
        ...{ requestId, microvmId, port, method, path: loggedPath(client.path), version, status, refused },
        received: activity?.received ?? 0,
        sent: activity?.sent ?? 0,
        firstByteMs: firstByteMs === undefined ? undefined : round(firstByteMs),
        ms: round(performance.now() - startedAt),
      },
      "request",
    );
  }
}

const NOTHING = { received: 0, sent: 0 } as const;

/** Without its query, where applications put secrets, and without what a one-time link proves itself by. */
function loggedPath(path: string): string {
  const query = path.indexOf("?");
  const bare = query < 0 ? path : path.slice(0, query);
  return bare.replace(/^(\/\.well-known\/catnap\/open\/).*/, "$1…").slice(0, MAX_LOGGED_PATH);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
