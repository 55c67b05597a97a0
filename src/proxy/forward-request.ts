import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { refusalOfError, sendAppResponse } from "./app-response.ts";
import { MAX_RESPONSE_HEADER_BYTES, type Exchange, type Outcome, type Route } from "./exchange.ts";
import { requestHeaders, trailerFields } from "./forwarded-headers.ts";
import type { Refusal } from "./refusal.ts";
import { RelayRefusedError } from "./relay-refused-error.ts";

/** A request that cannot be repeated takes no connection that the application may be closing right now. */
const FRESH_IDLE_MS = 1000;
/** How long the rest of a body is read after the answer is out, so that closing does not destroy the answer. */
const LINGER_MS = 2000;
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Forwards a request over HTTP/1.1, once. */
export function forwardRequest(exchange: Exchange, route: Route): Promise<Outcome> {
  return new Promise((settle) => new Forwarding(exchange, route, settle));
}

class Forwarding {
  readonly #exchange: Exchange;
  readonly #route: Route;
  readonly #settle: (outcome: Outcome) => void;
  readonly #upstream: ClientRequest;
  #answer: IncomingMessage | undefined;

  constructor(exchange: Exchange, route: Route, settle: (outcome: Outcome) => void) {
    this.#exchange = exchange;
    this.#route = route;
    this.#settle = settle;
    if (!this.#isRepeatable) route.life.agent.dropIdle(route.port, FRESH_IDLE_MS);
    this.#upstream = openUpstream(exchange, route);
    this.#listen();
    this.#sendBody();
  }

  get #isRepeatable(): boolean {
    return this.#exchange.head.body === "none" && IDEMPOTENT.has(this.#exchange.request.method ?? "");
  }

  #listen(): void {
    const { response } = this.#exchange;
    this.#upstream.on("response", this.#onResponse);
    this.#upstream.on("continue", () => this.#onContinue());
    this.#upstream.on("information", ({ statusCode, rawHeaders }) => this.#onInformation(statusCode, rawHeaders));
    this.#upstream.on("error", this.#onError);
    // After "error" this is a no-op; alone it is the one sign of an answer that nothing here understands.
    this.#upstream.once("close", () => {
      if (!this.#answer) this.#settle({ refused: "bad-response" });
    });
    response.once("close", this.#onClientDone);
  }

  #sendBody(): void {
    const { request, head } = this.#exchange;
    if (head.body === "none") {
      request.resume();
      this.#upstream.end();
      return;
    }
    this.#upstream.flushHeaders();
    request.on("error", ignore); // the response's "close" tells the same
    request.pipe(this.#upstream, { end: false });
    this.#route.activity.watch(request);
    request.once("end", () => {
      const trailers = trailerFields(request.rawTrailers);
      if (trailers.length > 0 && head.body === "chunked") this.#upstream.addTrailers(trailers);
      this.#upstream.end();
    });
  }

  readonly #onResponse = (answer: IncomingMessage): void => {
    this.#answer = answer;
    this.#route.activity.report();
    if (sendAppResponse(this.#exchange, answer, this.#route)) return;
    this.#exchange.response.off("close", this.#onClientDone);
    this.#upstream.destroy();
    this.#settle({ refused: "bad-response" });
  };

  #onContinue(): void {
    const { request, response } = this.#exchange;
    const isAsked = request.httpVersionMinor > 0 && request.headers.expect !== undefined;
    if (isAsked && !response.headersSent) response.writeContinue();
  }

  #onInformation(status: number, rawHeaders: readonly string[]): void {
    const { request, response } = this.#exchange;
    if (request.httpVersionMinor === 0 || response.headersSent) return;
    const links = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "link");
    try {
      if (status === 103 && links.length > 0) response.writeEarlyHints({ link: links });
    } catch {
      // A link that node does not accept is only a hint lost.
    }
  }

  readonly #onError = (error: Error): void => {
    const { response } = this.#exchange;
    if (this.#answer) {
      // A complete answer stands, even if the application did not read all of the request.
      if (!this.#answer.complete) response.destroy();
      return;
    }
    response.off("close", this.#onClientDone);
    this.#exchange.request.unpipe(this.#upstream);
    this.#settle(this.#isStale(error) ? "stale" : this.#refusal(error));
  };

  /** A request on a life that ends is not repeated: that would wake the microVM which someone just suspended. */
  #isStale(error: Error): boolean {
    if (!this.#isRepeatable) return false;
    if (this.#route.life.isDown) return error instanceof RelayRefusedError;
    return this.#upstream.reusedSocket && !isParseError(error);
  }

  #refusal(error: Error): Refusal {
    return this.#route.life.isDown ? { refused: "microvm-unreachable" } : refusalOfError(error, this.#route.port);
  }

  readonly #onClientDone = (): void => {
    const { request, response } = this.#exchange;
    const isWhole = this.#answer?.complete === true && response.writableFinished;
    if (isWhole && !request.complete) linger(request);
    if (!isWhole || !this.#upstream.writableFinished) this.#upstream.destroy();
    this.#settle("answered");
  };
}

function openUpstream({ request, head, requestId }: Exchange, { life, port }: Route): ClientRequest {
  const method = request.method ?? "GET";
  const upstream = httpRequest({
    agent: life.agent,
    port,
    method,
    path: request.url,
    headers: requestHeaders(method, request.rawHeaders, head, requestId),
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    insecureHTTPParser: false,
  });
  upstream.maxHeadersCount = 0; // bytes bound it; a count would drop fields without a word
  return upstream;
}

function linger(request: IncomingMessage): void {
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  timer.unref();
  request.once("end", () => clearTimeout(timer));
}

function isParseError(error: NodeJS.ErrnoException): boolean {
  return error.code?.startsWith("HPE_") === true;
}

function ignore(): void {}
