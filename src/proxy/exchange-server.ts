import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import type { Log } from "../observability/log.ts";
import { Activity } from "./activity.ts";
import { OWN_PATHS, type BrowserPages } from "./browser/browser-pages.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { corsHeaders, type CrossOrigin } from "./browser/cross-origin.ts";
import type { Exchange, Outcome, Route } from "./exchange.ts";
import { ExchangeRecord, type ExchangeObserver } from "./exchange-record.ts";
import { forwardOver, forwardRequest, wishOf } from "./forward-request.ts";
import type { Admission, MicrovmLimits } from "./microvm-limits.ts";
import type { MicrovmLife } from "./microvm-life.ts";
import type { MicrovmLives } from "./microvm-lives.ts";
import { sendRefusal, type Refusal } from "./refusal.ts";
import { RequestBody } from "./client/request-body.ts";
import { isOriginForm, readRequestHead } from "./read-request-head.ts";
import type { RequestHead } from "./request-head.ts";
import { resolveDestination, type Destination, type ResolveContext } from "./resolve-destination.ts";
import type { ShellDoor } from "./shell-door.ts";
import type { StallWatch } from "./client/stall-watch.ts";
import { REQUEST_ID } from "./http/request-id.ts";

interface ExchangeServerOptions {
  readonly context: ResolveContext;
  readonly lives: MicrovmLives;
  readonly shells: ShellDoor;
  readonly pages: BrowserPages;
  readonly crossOrigin: CrossOrigin;
  /** None when limits are off. */
  readonly limits: MicrovmLimits | undefined;
  readonly observer: ExchangeObserver;
  readonly stalls: StallWatch;
  readonly log: Log;
}

type Answered = "answered" | Refusal;
/** Whoever answers ends the record. */
type UnderWay = "under way";

/** Nothing has been read of its body. */
type Checked = Omit<Exchange, "body">;

/** A microVM's port. */
interface Place {
  readonly target: EndpointTarget;
  readonly port: number;
  readonly activity: Activity;
}

interface Passing {
  readonly record: ExchangeRecord;
  readonly destination: Destination;
  /** By the limits, where there are any. */
  readonly admission?: Admission | undefined;
}

/** What came of a try. */
type Tried =
  | { readonly outcome: Answered }
  | { readonly outcome: Exclude<Outcome, Answered>; readonly life: MicrovmLife };

interface Entered {
  readonly life: MicrovmLife;
  readonly leave: () => void;
}

/** A stale connection, then another protocol; a third try would find nothing new. */
const MAX_TRIES = 3;

/** Takes each request through check, destination, limits, wake and forwarding. */
export class ExchangeServer {
  readonly #options: ExchangeServerOptions;

  constructor(options: ExchangeServerOptions) {
    this.#options = options;
  }

  /** Never throws: every request ends with an answer or a cut connection. A warm one is sent on before this returns. */
  serve(client: ClientExchange): void {
    const record = new ExchangeRecord(client);
    this.#options.observer.onBegin();
    this.#options.stalls.add(record);
    try {
      const answered = this.#answer(client, record);
      if (answered instanceof Promise) this.#endWhen(record, answered);
      else if (answered !== "under way") this.#end(record, answered);
    } catch (error) {
      this.#fail(record, error);
    }
  }

  #endWhen(record: ExchangeRecord, answered: Promise<Answered | UnderWay>): void {
    answered.then(
      (outcome) => outcome !== "under way" && this.#end(record, outcome),
      (error: unknown) => this.#fail(record, error),
    );
  }

  #fail(record: ExchangeRecord, error: unknown): void {
    this.#options.log.error(
      { err: error, requestId: record.client.requestId },
      "the endpoint proxy failed on a request",
    );
    this.#end(record, { refused: "internal" });
  }

  #end(record: ExchangeRecord, outcome: Answered): void {
    if (outcome !== "answered") this.#refuse(record, outcome);
    this.#options.stalls.delete(record);
    this.#options.observer.onEnd(record);
  }

  #refuse(record: ExchangeRecord, refusal: Refusal): void {
    record.refused = refusal.refused;
    const origin = this.#options.crossOrigin.originOf(record.client);
    sendRefusal(record.client, refusal, origin === undefined ? {} : corsHeaders(origin));
  }

  #answer(client: ClientExchange, record: ExchangeRecord): Answered | UnderWay | Promise<Answered | UnderWay> {
    const { context, crossOrigin, pages } = this.#options;
    const head = headOf(client);
    if ("refused" in head) return head;
    const origin = crossOrigin.originOf(client);
    const preflight = origin !== undefined && head.token === undefined && crossOrigin.preflightAnswer(client, origin);
    if (preflight) {
      client.reply({ status: 204, headers: { [REQUEST_ID]: client.requestId, ...preflight }, body: "" });
      return "answered";
    }
    if (client.path.startsWith(OWN_PATHS)) return pages.answer(client, head);
    const exchange = { client, head, origin };
    const destination = resolveDestination(head, context);
    if (!(destination instanceof Promise)) return this.#admit(exchange, record, destination);
    return destination.then((resolved) => this.#admit(exchange, record, resolved));
  }

  #admit(
    exchange: Checked,
    record: ExchangeRecord,
    destination: Destination | Refusal,
  ): Answered | UnderWay | Promise<Answered | UnderWay> {
    if ("refused" in destination) return destination;
    record.microvmId = destination.target.microvmId;
    record.port = destination.port;
    const { limits } = this.#options;
    return limits === undefined
      ? this.#pass(exchange, { record, destination })
      : this.#passWithin(limits, exchange, { record, destination });
  }

  async #passWithin(limits: MicrovmLimits, exchange: Checked, passing: Passing): Promise<Answered | UnderWay> {
    const admission = await limits.admit(passing.destination.target.microvmId);
    if (admission !== undefined && "refused" in admission) return admission;
    try {
      return await this.#pass(exchange, { ...passing, admission });
    } finally {
      admission?.release();
    }
  }

  #pass({ client, head, origin }: Checked, { record, destination, admission }: Passing): UnderWay | Promise<Answered> {
    const { target, port } = destination;
    if (destination.isShell) return this.#openShell({ client, head, origin, body: undefined }, target);
    const activity = new Activity(target, admission?.throttle);
    record.activity = activity;
    const hasTrailers = head.body === "chunked";
    record.body = head.body === "none" ? undefined : new RequestBody(client, activity, { hasTrailers });
    const exchange = { client, head, origin, body: record.body };
    const place = { target, port, activity };
    // What was admitted is given back when the promise ends.
    const isUnderWay = admission === undefined && this.#forwardNow(exchange, place, record);
    return isUnderWay ? "under way" : this.#forward(exchange, place);
  }

  /** The way of a warm request, without a promise: its microVM runs and a connection is open. False when it is not so. */
  #forwardNow(exchange: Exchange, place: Place, record: ExchangeRecord): boolean {
    const { target, port, activity } = place;
    const { client } = exchange;
    if (client.upgrade !== undefined || client.isDone) return false;
    const entered = this.#enterNow(target);
    if (entered === undefined) return false;
    const { life, leave } = entered;
    const open = life.apps.take(wishOf(exchange, port));
    if (open === undefined) {
      leave();
      return false;
    }
    try {
      forwardOver(open, exchange, { life, port, activity }, (outcome) => {
        leave();
        if (isFinal(outcome)) this.#end(record, outcome);
        else this.#endWhen(record, this.#forward(exchange, place, { outcome, life }));
      });
    } catch (error) {
      leave();
      throw error;
    }
    return true;
  }

  /** `first`: what came of a try before. */
  async #forward(exchange: Exchange, place: Place, first?: Tried): Promise<Answered> {
    let tried = first ?? (await this.#try(exchange, place));
    for (let tries = 1; ; tries++) {
      if (!("life" in tried)) return tried.outcome;
      if (tries === MAX_TRIES) return { refused: "microvm-unreachable" };
      if (!(await this.#mayTryAgain(tried.outcome, tried.life, exchange, place.port)))
        return { refused: "bad-response" };
      tried = await this.#try(exchange, place);
    }
  }

  async #try(exchange: Exchange, { target, port, activity }: Place): Promise<Tried> {
    const entered = this.#enterNow(target) ?? (await this.#enter(target, exchange.client));
    if ("refused" in entered) return { outcome: entered };
    const { life, leave } = entered;
    const outcome = await forwardInside(exchange, { life, port, activity }, leave);
    return isFinal(outcome) ? { outcome } : { outcome, life };
  }

  async #mayTryAgain(
    outcome: Exclude<Outcome, Answered>,
    life: MicrovmLife,
    exchange: Exchange,
    port: number,
  ): Promise<boolean> {
    if (outcome === "maybe-tls") return await life.apps.speaksTls(wishOf(exchange, port));
    life.apps.dropIdle(port);
    return true;
  }

  async #openShell(exchange: Exchange, target: EndpointTarget): Promise<Answered> {
    const { client } = exchange;
    if (client.upgrade?.toLowerCase() !== "websocket") return { refused: "shell-token" };
    const life = this.#options.lives.current(target) ?? (await this.#wake(target, client));
    if ("refused" in life) return life;
    if (client.isDone) return "answered";
    const outcome = await this.#options.shells.open(exchange, target, life);
    return typeof outcome === "object" ? outcome : "answered";
  }

  /** Into a microVM that runs and stays so until the answer. */
  #enterNow(target: EndpointTarget): Entered | undefined {
    const life = this.#options.lives.current(target);
    const leave = life && target.enter();
    return life && leave && { life, leave };
  }

  /** One that sleeps, or falls asleep meanwhile, is waited for and woken. */
  async #enter(target: EndpointTarget, client: ClientExchange): Promise<Entered | Refusal> {
    for (;;) {
      const life = await this.#wake(target, client);
      if ("refused" in life) return life;
      const leave = target.enter();
      if (leave !== undefined) return { life, leave };
    }
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

function isFinal(outcome: Outcome): outcome is Answered {
  return typeof outcome === "object" || outcome === "answered";
}

/** Who waits for requests to end waits for this one, unless it opens a connection that may stay for hours. */
async function forwardInside(exchange: Exchange, route: Route, leave: () => void): Promise<Outcome> {
  const { client } = exchange;
  if (client.upgrade !== undefined) leave();
  try {
    return client.isDone ? "answered" : await forwardRequest(exchange, route);
  } finally {
    leave();
  }
}

/** Fields that a connection repeats word for word are read once; those of an upgrade never come again. */
function headOf(client: ClientExchange): RequestHead | Refusal {
  const { method, path: url, head: known } = client;
  if (known?.method === method && client.upgrade === undefined && isOriginForm({ method, url })) return known;
  const head = readHead(client);
  if (!("refused" in head) && client.upgrade === undefined) client.head = head;
  return head;
}

function readHead(client: ClientExchange): RequestHead | Refusal {
  return readRequestHead({
    method: client.method,
    url: client.path,
    rawHeaders: client.rawHeaders,
    serverName: client.serverName,
    isUpgrade: client.upgrade !== undefined,
    h2Body: client.version === "2" ? h2BodyOf(client) : undefined,
  });
}

/** What follows an extended CONNECT is of the other protocol. */
function h2BodyOf({ isBodyless, upgrade }: ClientExchange): "none" | "some" {
  return isBodyless || upgrade !== undefined ? "none" : "some";
}
