import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Log } from "../../observability/log.ts";
import { H2ClientExchange } from "./h2-client-exchange.ts";
import { waitForTurn } from "../flow/turn.ts";
import { readH2Head } from "./h2-request-head.ts";
import { ResetBudget } from "./reset-budget.ts";
import { UploadWindow } from "./upload-window.ts";

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR } = constants;

const MAX_STREAMS = 128;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_HEADER_PAIRS = 1000;
/** What a session may hold besides bodies, in MB: header tables, heads, answers on their way. */
const MAX_SESSION_MEMORY_MB = 32;
const MAX_BROKEN_FRAMES = 100;
const IDLE_TIMEOUT_MS = 65_000;

interface H2ClientsOptions {
  readonly serve: (exchange: H2ClientExchange) => void;
  readonly nextId: () => string;
  readonly log: Log;
}

/** Clients that speak HTTP/2, and how much of it they may. */
export class H2Clients {
  readonly #options: H2ClientsOptions;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(options: H2ClientsOptions) {
    this.#options = options;
  }

  accept(socket: TLSSocket): void {
    const { initialWindowSize, connectionWindowSize } = UploadWindow;
    const session = performServerHandshake(socket, {
      settings: {
        initialWindowSize,
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEADER_BYTES,
        enableConnectProtocol: true,
      },
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      maxSessionInvalidFrames: MAX_BROKEN_FRAMES,
      strictSingleValueFields: false,
    });
    session.setLocalWindowSize(connectionWindowSize);
    this.#sessions.add(session);
    const name = socket.servername as string | false | undefined;
    this.#watch(session, typeof name === "string" ? name : undefined);
  }

  /** Lets open streams end. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy();
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  #watch(session: ServerHttp2Session, serverName: string | undefined): void {
    const resets = new ResetBudget();
    const uploads = new UploadWindow(session);
    let open = 0;
    session.on("error", (error) => this.#options.log.debug({ err: error }, "an HTTP/2 client broke the protocol"));
    session.once("close", () => this.#sessions.delete(session));
    session.setTimeout(IDLE_TIMEOUT_MS, () => {
      if (open === 0) session.close();
    });
    session.on("stream", (stream, _headers, _flags, raw) => {
      open++;
      stream.once("close", () => {
        open--;
        if (stream.rstCode !== 0 && !resets.spend()) abandon(session);
      });
      if (!stream.endAfterHeaders) uploads.add(stream);
      this.#serve(stream, raw, serverName);
    });
  }

  #serve(stream: ServerHttp2Stream, raw: readonly string[], serverName: string | undefined): void {
    const head = readH2Head(raw);
    if (head === undefined) return stream.on("error", () => {}).close(NGHTTP2_PROTOCOL_ERROR);
    const exchange = new H2ClientExchange(stream, head, this.#options.nextId(), serverName);
    waitForTurn({ onTurn: () => exchange.isDone || this.#options.serve(exchange) });
  }
}

/** Ends a session whose client makes more work than it asks for (CVE-2023-44487, CVE-2025-8671). */
function abandon(session: ServerHttp2Session): void {
  if (!session.destroyed) session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM);
}
