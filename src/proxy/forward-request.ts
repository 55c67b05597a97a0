import type { Duplex } from "node:stream";
import type { AnswerHandler, AnswerHead, AppConnection, AppFailure, AppRequest } from "./app-request.ts";
import type { Wish } from "./app/app-connections.ts";
import type { ClientListener } from "./client-exchange.ts";
import { addCorsHeaders } from "./browser/cross-origin.ts";
import type { Exchange, Outcome, Route } from "./exchange.ts";
import { fieldOf } from "./http/field-of.ts";
import { answerFields, requestFields, trailerFields } from "./forwarded-headers.ts";
import { OutgoingFields } from "./http/outgoing-fields.ts";
import { REQUEST_ID } from "./http/request-id.ts";
import type { Refusal } from "./refusal.ts";
import { splice } from "./flow/splice.ts";
import { MARKER_SUBPROTOCOL } from "./websocket-subprotocols.ts";

/** A request that cannot be repeated takes no connection that the application may be closing right now. */
const FRESH_IDLE_MS = 1000;
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
/** What servers say to plain HTTP where they speak TLS: nginx, Go, Apache and others name it in a 400. */
const WANTS_TLS = /\b(?:https|ssl|tls)\b/i;

/** Forwards a request once, over a connection that is open or a new one. */
export async function forwardRequest(exchange: Exchange, route: Route): Promise<Outcome> {
  const wish = wishOf(exchange, route.port);
  const connection = route.life.apps.take(wish) ?? (await route.life.apps.open(wish));
  if ("failed" in connection) return route.life.isDown ? UNREACHABLE : refusalOf(connection, route.port);
  if (!exchange.client.isDone) return new Promise((settle) => forwardOver(connection, exchange, route, settle));
  connection.discard();
  return "answered";
}

/** Forwards a request once, over this connection; `settle` is told once how that ended. */
export function forwardOver(
  connection: AppConnection,
  exchange: Exchange,
  route: Route,
  settle: (outcome: Outcome) => void,
): void {
  new Forwarding(exchange, route, settle).start(connection);
}

const UNREACHABLE: Refusal = { refused: "microvm-unreachable" };

/** What a request needs of a connection. */
export function wishOf({ client, head }: Exchange, port: number): Wish {
  return {
    port,
    isH2Forced: head.isH2Forced,
    isUpgrade: client.upgrade !== undefined,
    freshMs: head.body === "none" && IDEMPOTENT.has(client.method) ? Number.POSITIVE_INFINITY : FRESH_IDLE_MS,
    serverName: head.host,
  };
}

class Forwarding implements AnswerHandler, ClientListener {
  readonly #exchange: Exchange;
  readonly #route: Route;
  #onOutcome: ((outcome: Outcome) => void) | undefined;
  #connection: AppConnection | undefined;
  #app: AppRequest | undefined;
  /** Whether it is still open what the application speaks: a first answer tells. */
  #isDoubtful = false;
  #doubt: DoubtfulAnswer | undefined;
  #isAnswered = false;
  #isThrottled = false;

  constructor(exchange: Exchange, route: Route, onOutcome: (outcome: Outcome) => void) {
    this.#exchange = exchange;
    this.#route = route;
    this.#onOutcome = onOutcome;
  }

  start(connection: AppConnection): void {
    const { client, head, body } = this.#exchange;
    const { life, port } = this.#route;
    this.#connection = connection;
    this.#isDoubtful = !head.isH2Forced && !life.apps.isKnown(port);
    client.listener = this;
    try {
      this.#app = connection.send(
        {
          method: client.method,
          path: client.path,
          fields: (head.forwarded ??= requestFields(client, head)),
          requestId: client.requestId,
          body: head.body,
          isUpgrade: client.upgrade !== undefined,
        },
        this,
      );
    } catch {
      return this.#giveUp({ refused: "bad-response" }); // fields that HTTP/2 has no form for
    }
    if (this.#app !== undefined) body?.sendTo(this.#app, this.#isDoubtful);
  }

  onContinue(): void {
    this.#exchange.client.sendContinue();
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    const links = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "link");
    if (status === 103 && links.length > 0) this.#exchange.client.sendEarlyHints(links);
  }

  onHead(head: AnswerHead): void {
    if (this.#isDoubtful && head.status === 400 && head.framing !== "none" && this.#mayRepeat)
      this.#doubt = new DoubtfulAnswer(head);
    else this.#begin(head);
  }

  onData(chunk: Buffer): boolean {
    if (this.#doubt !== undefined) return this.#weigh(this.#doubt, chunk);
    if (this.#app === undefined) return true;
    const waitMs = this.#route.activity.onSent(chunk.length);
    const canTakeMore = this.#exchange.client.write(chunk);
    if (waitMs === 0) return canTakeMore;
    this.#waitFor(waitMs);
    return false;
  }

  onEnd(rawTrailers: readonly string[]): void {
    if (this.#doubt !== undefined) return void (this.#doubt.end = { rawTrailers });
    this.#app = undefined;
    this.#exchange.body?.detach();
    if (this.#isAnswered)
      this.#exchange.client.finish(rawTrailers.length === 0 ? rawTrailers : trailerFields(rawTrailers));
  }

  onFailed(failure: AppFailure): void {
    if (this.#doubt !== undefined) return void (this.#doubt.end = { failure });
    const { client } = this.#exchange;
    this.#app = undefined;
    this.#exchange.body?.detach();
    if (this.#isAnswered) return client.cut(failure.failed === "reset" ? failure.code : undefined);
    if (failure.failed === "reset" && client.version === "2") {
      client.cut(failure.code);
      return this.#end("answered");
    }
    this.#end(this.#outcomeOf(failure));
  }

  onSwitch(head: AnswerHead, stream: Duplex): void {
    const { client } = this.#exchange;
    const { life, port, activity } = this.#route;
    this.#app = undefined;
    client.listener = undefined;
    if (this.#isDoubtful) life.apps.isPlain(port);
    stream.on("error", () => stream.destroy());
    const [headers, protocol] = this.#switchHeaders(head);
    const switched = client.switchProtocols(headers, protocol);
    splice(switched, stream, activity);
    switched.once("close", () => this.#settle("answered"));
    if (switched.destroyed) this.#settle("answered");
  }

  onAppDrain(): void {
    this.#exchange.body?.onAppDrain();
  }

  onClientDrain(): void {
    if (!this.#isThrottled) this.#app?.resume();
  }

  /** The client is gone, or has its answer. */
  onDone(): void {
    this.#doubt = undefined;
    const app = this.#app;
    this.#app = undefined;
    this.#exchange.body?.detach();
    app?.destroy();
    this.#settle("answered");
  }

  /** The bandwidth is used up for now. */
  #waitFor(milliseconds: number): void {
    this.#isThrottled = true;
    setTimeout(() => {
      this.#isThrottled = false;
      this.#app?.resume(); // a client that is full still says so at the next chunk
    }, milliseconds).unref();
  }

  get #mayRepeat(): boolean {
    return this.#exchange.body === undefined || this.#exchange.body.isRepeatable;
  }

  /** An answer that may be what a server of TLS says to plain HTTP waits until TLS has been tried. */
  #weigh(doubt: DoubtfulAnswer, chunk: Buffer): boolean {
    doubt.chunks.push(chunk);
    if (doubt.chunks.length > 1) return false;
    if (!WANTS_TLS.test(chunk.toString("latin1", 0, 1024))) return this.#believe(doubt);
    void this.#tryTls(doubt);
    return false;
  }

  async #tryTls(doubt: DoubtfulAnswer): Promise<void> {
    const { life, port } = this.#route;
    const isTls = await life.apps.speaksTls(wishOf(this.#exchange, port));
    if (this.#doubt !== doubt) return; // the client is gone
    if (isTls) this.#giveUp("stale");
    else if (this.#believe(doubt)) this.#app?.resume();
  }

  /** The answer is the application's own. */
  #believe({ head, chunks, end }: DoubtfulAnswer): boolean {
    this.#doubt = undefined;
    this.#begin(head);
    let canTakeMore = true;
    for (const chunk of chunks) canTakeMore = this.onData(chunk);
    if (end?.rawTrailers !== undefined) this.onEnd(end.rawTrailers);
    else if (end?.failure !== undefined) this.onFailed(end.failure);
    return canTakeMore;
  }

  #begin(head: AnswerHead): void {
    const { client } = this.#exchange;
    if (this.#isDoubtful) this.#route.life.apps.isPlain(this.#route.port);
    this.#isAnswered = true;
    this.#route.activity.touch();
    if (client.begin(head, this.#answerFields(head))) return;
    this.#isAnswered = false;
    this.#giveUp({ refused: "bad-response" });
  }

  #answerFields(head: AnswerHead): OutgoingFields {
    const { origin } = this.#exchange;
    if (origin === undefined) return (head.forwarded ??= new OutgoingFields(answerFields(head.rawHeaders)));
    const fields = answerFields(head.rawHeaders);
    addCorsHeaders(fields, origin);
    return new OutgoingFields(fields);
  }

  #giveUp(outcome: Outcome): void {
    const app = this.#app;
    const hasEnded = this.#doubt?.end !== undefined;
    this.#app = undefined;
    this.#doubt = undefined;
    if (!hasEnded) app?.destroy(); // else its connection is somebody else's by now
    this.#exchange.body?.detach();
    this.#end(outcome);
  }

  #end(outcome: Outcome): void {
    this.#exchange.client.listener = undefined;
    this.#settle(outcome);
  }

  /** The first outcome is the one that counts. */
  #settle(outcome: Outcome): void {
    const onOutcome = this.#onOutcome;
    this.#onOutcome = undefined;
    onOutcome?.(outcome);
  }

  #outcomeOf(failure: AppFailure): Outcome {
    const { life, port } = this.#route;
    const isUntouched = failure.failed === "closed" && failure.isUntouched;
    // A request on a life that ends is not repeated: that would wake the microVM which someone just suspended.
    if (life.isDown) return UNREACHABLE;
    if (isUntouched && this.#connection?.isReused === true)
      return this.#isRepeatable ? "stale" : refusalOf(failure, port);
    const mayWantTls = failure.failed === "wants-tls" || (isUntouched && this.#isDoubtful);
    return mayWantTls && this.#mayRepeat ? "maybe-tls" : refusalOf(failure, port);
  }

  get #isRepeatable(): boolean {
    return this.#exchange.head.body === "none" && IDEMPOTENT.has(this.#exchange.client.method);
  }

  #switchHeaders({ rawHeaders }: AnswerHead): [headers: string[], protocol: string] {
    const { client, head } = this.#exchange;
    const headers = [...answerFields(rawHeaders), REQUEST_ID, client.requestId];
    // A browser fails a handshake that picks none of the subprotocols it offered (contract 6.4).
    const needsMarker = head.subprotocols.hasMarker && fieldOf(rawHeaders, "sec-websocket-protocol") === undefined;
    if (needsMarker) headers.push("Sec-WebSocket-Protocol", MARKER_SUBPROTOCOL);
    return [headers, fieldOf(rawHeaders, "upgrade") ?? client.upgrade ?? ""];
  }
}

/** An answer that may not be the application's. */
class DoubtfulAnswer {
  readonly head: AnswerHead;
  readonly chunks: Buffer[] = [];
  end: { rawTrailers?: readonly string[]; failure?: AppFailure } | undefined;

  constructor(head: AnswerHead) {
    this.head = head;
  }
}

/** What a client is told when its request got no answer. */
export function refusalOf(failure: AppFailure, port: number): Refusal {
  if (failure.failed !== "refused") return { refused: "bad-response" };
  return failure.refusal.refused === "port-closed" ? { refused: "port-closed", port } : UNREACHABLE;
}
