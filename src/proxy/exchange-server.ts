import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import { Activity } from "./activity.ts";
import type { ClientExchange } from "./client-exchange.ts";
import type { Exchange, Outcome } from "./exchange.ts";
import { forwardRequest, wishOf } from "./forward-request.ts";
import type { MicrovmLife } from "./microvm-life.ts";
import type { MicrovmLives } from "./microvm-lives.ts";
import { sendRefusal, type Refusal } from "./refusal.ts";
import { RequestBody } from "./request-body.ts";
import { readRequestHead } from "./request-head.ts";
import { resolveDestination, type ResolveContext } from "./resolve-destination.ts";
import type { ShellDoor } from "./shell-door.ts";

interface ExchangeServerOptions {
  readonly context: ResolveContext;
  readonly lives: MicrovmLives;
  readonly shells: ShellDoor;
  readonly log: Log;
}

/** A stale connection, then another protocol; a third try would find nothing new. */
const MAX_TRIES = 3;

/** Takes each request through check, destination, wake and forwarding. */
export class ExchangeServer {
  readonly #options: ExchangeServerOptions;

  constructor(options: ExchangeServerOptions) {
    this.#options = options;
  }

  /** Never rejects: every request ends with an answer or a cut connection. */
  async serve(client: ClientExchange): Promise<void> {
    try {
      const outcome = await this.#answer(client);
      if (outcome !== "answered") sendRefusal(client, outcome);
    } catch (error) {
      this.#options.log.error({ err: error, requestId: client.requestId }, "the endpoint proxy failed on a request");
      sendRefusal(client, { refused: "internal" });
    }
  }

  async #answer(client: ClientExchange): Promise<"answered" | Refusal> {
    const { rawHeaders, serverName, upgrade } = client;
    const head = readRequestHead({
      method: client.method,
      url: client.path,
      rawHeaders,
      serverName,
      isUpgrade: upgrade !== undefined,
      h2Body: client.version === "2" ? h2BodyOf(client) : undefined,
    });
    if ("refused" in head) return head;
    const destination = await resolveDestination(head, this.#options.context);
    if ("refused" in destination) return destination;
    const { target, port } = destination;
    if (destination.isShell) return await this.#openShell({ client, head, body: undefined }, target);
    const activity = new Activity(target);
    activity.report(0);
    const hasTrailers = head.body === "chunked";
    const body = head.body === "none" ? undefined : new RequestBody(client, activity, { hasTrailers });
    return await this.#forward({ client, head, body }, { target, port, activity });
  }

  async #forward(
    exchange: Exchange,
    { target, port, activity }: { target: EndpointTarget; port: number; activity: Activity },
  ): Promise<"answered" | Refusal> {
    for (let tries = 1; ; tries++) {
      const life = await this.#reach(target, exchange.client);
      if ("refused" in life) return life;
      if (exchange.client.isDone) return "answered";
      const outcome = await forwardRequest(exchange, { life, port, activity });
      if (typeof outcome === "object" || outcome === "answered") return outcome;
      if (tries === MAX_TRIES || !(await this.#mayTryAgain(outcome, life, exchange, port)))
        return { refused: tries === MAX_TRIES ? "microvm-unreachable" : "bad-response" };
    }
  }

  async #mayTryAgain(
    outcome: Exclude<Outcome, "answered" | Refusal>,
    life: MicrovmLife,
    exchange: Exchange,
    port: number,
  ): Promise<boolean> {
    if (outcome === "maybe-tls") return await life.apps.speaksTls(wishOf(exchange, port));
    life.apps.dropIdle(port);
    return true;
  }

  async #openShell(exchange: Exchange, target: EndpointTarget): Promise<"answered" | Refusal> {
    const { client } = exchange;
    if (client.upgrade?.toLowerCase() !== "websocket") return { refused: "shell-token" };
    const life = await this.#reach(target, client);
    if ("refused" in life) return life;
    if (client.isDone) return "answered";
    const outcome = await this.#options.shells.open(exchange, target, life);
    return typeof outcome === "object" ? outcome : "answered";
  }

  #reach(target: EndpointTarget, client: ClientExchange): MicrovmLife | Promise<MicrovmLife | Refusal> {
    return this.#options.lives.current(target) ?? this.#wake(target, client);
  }

  async #wake(target: EndpointTarget, client: ClientExchange): Promise<MicrovmLife | Refusal> {
    const clientGone = new AbortController();
    client.listener = { onClientDrain() {}, onDone: () => clientGone.abort() };
    if (client.isDone) clientGone.abort();
    try {
      return await this.#options.lives.reach(target, clientGone.signal);
    } finally {
      client.listener = undefined;
    }
  }
}

/** What follows an extended CONNECT is of the other protocol. */
function h2BodyOf({ isBodyless, upgrade }: ClientExchange): "none" | "some" {
  return isBodyless || upgrade !== undefined ? "none" : "some";
}
