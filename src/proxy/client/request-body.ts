import type { Activity } from "../activity.ts";
import type { AppRequest } from "../app-request.ts";
import type { BodyReader, ClientExchange } from "../client-exchange.ts";
import { trailerFields } from "../forwarded-headers.ts";

/** Kept of a body while it is not known what its application speaks. */
const MAX_KEPT_BYTES = 64 * 1024;

/** The body of a request on its way to an application. What went out first is kept for a second try, as far as allowed. */
export class RequestBody implements BodyReader {
  readonly #exchange: ClientExchange;
  readonly #activity: Activity;
  readonly #hasTrailers: boolean;
  #app: AppRequest | undefined;
  #kept: Buffer[] | undefined;
  #keptBytes = 0;
  #isEnded = false;
  #isListening = false;
  #isThrottled = false;

  constructor(exchange: ClientExchange, activity: Activity, { hasTrailers }: { hasTrailers: boolean }) {
    this.#exchange = exchange;
    this.#activity = activity;
    this.#hasTrailers = hasTrailers;
  }

  /** Whether the client is the one to be waited for. */
  get isAwaited(): boolean {
    return this.#app !== undefined && !this.#isEnded && !this.#exchange.isBodyPaused;
  }

  /** Whether all that ever went out can go out again. */
  get isRepeatable(): boolean {
    return this.#kept !== undefined;
  }

  /** Sends to an application what it has and what comes; with `keep`, so that it can be sent once more. */
  sendTo(app: AppRequest, keep: boolean): void {
    const kept = this.#kept ?? [];
    const isNew = !this.#isListening;
    this.#app = app;
    for (const chunk of kept) app.write(chunk);
    if (!keep || (!isNew && this.#kept === undefined)) this.#kept = undefined;
    else this.#kept ??= [];
    if (this.#isEnded) return this.#endApp();
    if (!isNew) return this.#exchange.resumeBody();
    this.#isListening = true;
    this.#exchange.readBody(this);
  }

  /** The application can take more. */
  onAppDrain(): void {
    if (this.#app !== undefined && !this.#isThrottled) this.#exchange.resumeBody();
  }

  /** Nothing goes to the application any more; the rest of the body waits. */
  detach(): void {
    this.#app = undefined;
    if (this.#isListening && !this.#isEnded) this.#exchange.pauseBody();
  }

  onBody(chunk: Buffer): void {
    const waitMs = this.#activity.onReceived(chunk.length);
    this.#keep(chunk);
    // Without an application this is the rest of a body that was answered early.
    const canTakeMore = this.#app?.write(chunk) ?? true;
    if (waitMs > 0) this.#waitFor(waitMs);
    else if (!canTakeMore) this.#exchange.pauseBody();
  }

  onBodyEnd(): void {
    this.#isEnded = true;
    this.#endApp();
  }

  /** The bandwidth is used up for now. */
  #waitFor(milliseconds: number): void {
    this.#exchange.pauseBody();
    this.#isThrottled = true;
    setTimeout(() => {
      this.#isThrottled = false;
      this.onAppDrain(); // an application that is full still says so at the next chunk
    }, milliseconds).unref();
  }

  #keep(chunk: Buffer): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > MAX_KEPT_BYTES) this.#kept = undefined;
    else this.#kept.push(chunk);
  }

  #endApp(): void {
    this.#app?.end(this.#hasTrailers ? trailerFields(this.#exchange.requestTrailers()) : []);
  }
}
