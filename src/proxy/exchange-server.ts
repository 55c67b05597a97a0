import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import type { ShellServer } from "../shell/shell-server.ts";
import { Activity } from "./activity.ts";
import type { Exchange, Outcome, Route } from "./exchange.ts";
import { forwardRequest } from "./forward-request.ts";
import { forwardUpgrade } from "./forward-upgrade.ts";
import type { MicrovmLife } from "./microvm-life.ts";
import type { MicrovmLives } from "./microvm-lives.ts";
import { sendRefusal, type Refusal } from "./refusal.ts";
import { readRequestHead } from "./request-head.ts";
import { resolveDestination, type ResolveContext } from "./resolve-destination.ts";

export interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly upgrade?: { readonly socket: Socket; readonly early: Buffer };
}

interface ExchangeServerOptions {
  readonly context: ResolveContext;
  readonly lives: MicrovmLives;
  readonly shells: Pick<ShellServer, "accept">;
  readonly log: Log;
}

/** Takes each request through check, destination, wake and forwarding. */
export class ExchangeServer {
  readonly #options: ExchangeServerOptions;

  constructor(options: ExchangeServerOptions) {
    this.#options = options;
  }

  /** Never rejects: every request ends with an answer or a cut connection. */
  async serve(incoming: Incoming): Promise<void> {
    const { response, requestId } = incoming;
    try {
      const outcome = await this.#answer(incoming);
      if (typeof outcome === "object") sendRefusal(response, outcome, requestId);
    } catch (error) {
      this.#options.log.error({ err: error, requestId }, "the endpoint proxy failed on a request");
      sendRefusal(response, { refused: "internal" }, requestId);
    }
  }

  async #answer(incoming: Incoming): Promise<Outcome> {
    const { request, response, requestId, upgrade } = incoming;
    const head = readRequestHead({
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      serverName: serverNameOf(request.socket as TLSSocket),
      isUpgrade: upgrade !== undefined,
    });
    if ("refused" in head) return head;
    const destination = await resolveDestination(head, this.#options.context);
    if ("refused" in destination) return destination;
    const { target, port } = destination;
    if (destination.isShell) return await this.#openShell(incoming, target);
    const exchange = { request, response, head, requestId };
    const forward = (route: Route) =>
      upgrade ? forwardUpgrade({ ...exchange, ...upgrade }, route) : forwardRequest(exchange, route);
    const first = await this.#try(exchange, target, port, forward);
    if (first !== "stale") return first;
    this.#options.lives.current(target)?.agent.dropIdle(port, 0);
    const second = await this.#try(exchange, target, port, forward);
    return second === "stale" ? { refused: "microvm-unreachable" } : second;
  }

  /** The shell answers the handshake and has the connection from then on. */
  async #openShell({ request, response, requestId, upgrade }: Incoming, target: EndpointTarget): Promise<Outcome> {
    if (request.headers.upgrade?.toLowerCase() !== "websocket" || !upgrade) return { refused: "shell-token" };
    const life = this.#options.lives.current(target) ?? (await this.#wake(target, response));
    if ("refused" in life) return life;
    if (response.destroyed) return "answered";
    response.detachSocket(upgrade.socket);
    const { microvmId } = target;
    this.#options.shells.accept(
      { request, ...upgrade, requestId },
      { microvmId, link: life.link, touch: () => target.touch(), onDown: (listener) => target.onDown(listener) },
    );
    return "answered";
  }

  async #try(
    exchange: Exchange,
    target: EndpointTarget,
    port: number,
    forward: (route: Route) => Promise<Outcome>,
  ): Promise<Outcome> {
    const life = this.#options.lives.current(target) ?? (await this.#wake(target, exchange.response));
    if ("refused" in life) return life;
    if (exchange.response.destroyed) return "answered";
    return await forward({ life, port, activity: new Activity(target) });
  }

  async #wake(target: EndpointTarget, response: ServerResponse): Promise<MicrovmLife | Refusal> {
    const clientGone = new AbortController();
    const abort = (): void => clientGone.abort();
    response.once("close", abort);
    if (response.destroyed) abort();
    try {
      return await this.#options.lives.reach(target, clientGone.signal);
    } finally {
      response.off("close", abort);
    }
  }
}

/** `false` when the client sent no name; the types do not say so. */
function serverNameOf(socket: TLSSocket & { servername?: string | false | null }): string | undefined {
  return typeof socket.servername === "string" ? socket.servername : undefined;
}
