import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { AnswerHead } from "./app-request.ts";
import type { ClientExchange, ClientListener, RefusalMessage } from "./client-exchange.ts";
import { rawResponseHead } from "./forwarded-headers.ts";

/** How long the rest of a body is read after the answer is out, so that closing does not destroy the answer. */
const LINGER_MS = 2000;

export interface UpgradeRequest {
  /** The client's connection; the response is attached to it until the protocol changes. */
  readonly socket: Socket;
  /** Bytes the client sent after its request; the application gets them only once it has agreed to the upgrade. */
  readonly early: Buffer;
}

/** A request over HTTP/1.x. */
export class H1ClientExchange implements ClientExchange {
  readonly requestId: string;
  readonly request: IncomingMessage;
  readonly upgradeRequest: UpgradeRequest | undefined;
  listener: ClientListener | undefined;
  readonly #response: ServerResponse;
  #isDone = false;
  status = 0;
  begunAt: number | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, requestId: string, upgrade?: UpgradeRequest) {
    this.request = request;
    this.#response = response;
    this.requestId = requestId;
    this.upgradeRequest = upgrade;
    response.on("close", this.#onClose);
    response.on("drain", this.#onDrain);
  }

  get version(): "1.0" | "1.1" {
    return this.request.httpVersionMinor === 0 ? "1.0" : "1.1";
  }

  get method(): string {
    return this.request.method ?? "";
  }

  get path(): string {
    return this.request.url ?? "";
  }

  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders;
  }

  get serverName(): string | undefined {
    return serverNameOf(this.request.socket as TLSSocket);
  }

  get upgrade(): string | undefined {
    return this.upgradeRequest && this.request.headers.upgrade;
  }

  get isBodyless(): boolean {
    return false; // HTTP/1.1 says it in the head
  }

  get body(): IncomingMessage {
    return this.request;
  }

  get isDone(): boolean {
    return this.#isDone || this.#response.destroyed;
  }

  get isBegun(): boolean {
    return this.#response.headersSent;
  }

  get isRequestWhole(): boolean {
    return this.request.complete;
  }

  get isAnswerWhole(): boolean {
    return this.#response.writableFinished;
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  requestTrailers(): readonly string[] {
    return this.request.rawTrailers;
  }

  sendContinue(): void {
    const isAsked = this.request.httpVersionMinor > 0 && this.request.headers.expect !== undefined;
    if (isAsked && !this.#response.headersSent) this.#response.writeContinue();
  }

  sendEarlyHints(links: readonly string[]): void {
    if (this.request.httpVersionMinor === 0 || this.#response.headersSent) return;
    try {
      this.#response.writeEarlyHints({ link: [...links] });
    } catch {
      // A link that node does not accept is only a hint lost.
    }
  }

  begin({ status, reason }: AnswerHead, headers: readonly string[]): boolean {
    try {
      this.#response.writeHead(status, reason, headers as string[]);
      this.#onBegun(status);
      return true;
    } catch {
      return false;
    }
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  flush(): void {
    if (!this.#response.destroyed) this.#response.flushHeaders();
  }

  finish(rawTrailers: readonly string[]): void {
    if (rawTrailers.length > 0 && this.#response.chunkedEncoding) this.#response.addTrailers(pairsOf(rawTrailers));
    this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }

  reply({ status, headers, body }: RefusalMessage): void {
    const response = this.#response;
    // An unread body would be drained without an end, only to keep the connection; after a request that is not what it
    // should be, nobody knows where the next one begins.
    const isDoubtful = status === 400 || status === 405 || status === 431;
    if (!this.request.complete || isDoubtful) response.shouldKeepAlive = false;
    response.writeHead(status, headers);
    this.#onBegun(status);
    response.end(body);
  }

  switchProtocols(headers: readonly string[], protocol: string): Socket {
    const { socket, early } = this.release();
    this.#onBegun(101);
    socket.write(rawResponseHead(101, [...headers, "Connection", "Upgrade", "Upgrade", protocol]), "latin1");
    if (early.length > 0) socket.unshift(early);
    return socket;
  }

  /** Hands the connection of an upgrade over to someone who answers it on his own. */
  release(): UpgradeRequest {
    const { upgradeRequest = { socket: this.request.socket, early: Buffer.alloc(0) } } = this;
    this.#response.off("close", this.#onClose);
    this.#response.detachSocket(upgradeRequest.socket);
    this.#isDone = true;
    return upgradeRequest;
  }

  #onBegun(status: number): void {
    this.status = status;
    this.begunAt = performance.now();
  }

  readonly #onDrain = (): void => this.listener?.onClientDrain();

  readonly #onClose = (): void => {
    this.#isDone = true;
    if (this.#response.writableFinished && !this.request.complete) linger(this.request);
    this.listener?.onDone();
  };
}

function pairsOf(fields: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([fields[i] ?? "", fields[i + 1] ?? ""]);
  return pairs;
}

function linger(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  timer.unref();
  request.once("end", () => clearTimeout(timer));
}

/** `false` when the client sent no name; the types do not say so. */
function serverNameOf(socket: TLSSocket & { servername?: string | false | null }): string | undefined {
  return typeof socket.servername === "string" ? socket.servername : undefined;
}
