import type { Activity } from "./activity.ts";
import type { AppRequest } from "./app-request.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { trailerFields } from "./forwarded-headers.ts";

/** Kept of a body while it is not known what its application speaks. */
const MAX_KEPT_BYTES = 64 * 1024;

/** The body of a request on its way to an application. What went out first is kept for a second try, as far as allowed. */
export class RequestBody {
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
    return this.#app !== undefined && !this.#isEnded && !this.#exchange.body.isPaused();
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
    const { body } = this.#exchange;
    if (isNew) {
      this.#isListening = true;
      body.on("error", ignore); // the exchange's end tells the same
      body.on("data", this.#onData);
      body.once("end", this.#onEnd);
    } else body.resume();
  }

  /** The application can take more. */
  onAppDrain(): void {
    if (this.#app !== undefined && !this.#isThrottled) this.#exchange.body.resume();
  }

  /** Nothing goes to the application any more; the rest of the body waits. */
  detach(): void {
    this.#app = undefined;
    if (this.#isListening && !this.#isEnded) this.#exchange.body.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    const waitMs = this.#activity.onReceived(chunk.length);
    this.#keep(chunk);
    // Without an application this is the rest of a body that was answered early.
    const canTakeMore = this.#app?.write(chunk) ?? true;
    if (waitMs > 0) this.#waitFor(waitMs);
    else if (!canTakeMore) this.#exchange.body.pause();
  };

  /** The bandwidth is used up for now. */
  #waitFor(milliseconds: number): void {
    this.#exchange.body.pause();
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

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#endApp();
  };

  #endApp(): void {
    this.#app?.end(this.#hasTrailers ? trailerFields(this.#exchange.requestTrailers()) : []);
  }
}

function ignore(): void {}
