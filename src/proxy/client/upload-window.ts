import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";

const MIB = 1024 * 1024;
/** Uploads at once that have the wide window each; more share what these take. */
const MANY = 8;
const NARROW_BYTES = MIB / 4;
/** How long a client may go on by the old window. */
const AGREE_WITHIN_MS = 10_000;

/**
 * How much clients may send ahead on one connection. The window of one stream carries 46 MB/s over 90 ms of latency,
 * where the service's own carries 0.6 (observed 2.5); many uploads at once get narrower ones, so that a connection
 * whose applications do not read holds tens of megabytes and not hundreds.
 */
export class UploadWindow {
  static readonly initialWindowSize = 4 * MIB;
  static readonly connectionWindowSize = 16 * MIB;
  readonly #session: ServerHttp2Session;
  #uploads = 0;
  #isNarrow = false;
  #agreement: NodeJS.Timeout | undefined;

  constructor(session: ServerHttp2Session) {
    this.#session = session;
  }

  add(stream: ServerHttp2Stream): void {
    this.#uploads++;
    if (this.#uploads > MANY && !this.#isNarrow) this.#set(true);
    stream.once("close", () => {
      this.#uploads--;
      if (this.#uploads <= MANY / 2 && this.#isNarrow) this.#set(false);
    });
  }

  #set(isNarrow: boolean): void {
    const session = this.#session;
    if (session.destroyed || session.closed) return;
    this.#isNarrow = isNarrow;
    clearTimeout(this.#agreement);
    const agreement = setTimeout(() => session.destroy(), AGREE_WITHIN_MS).unref();
    this.#agreement = agreement;
    const initialWindowSize = isNarrow ? NARROW_BYTES : UploadWindow.initialWindowSize;
    session.settings({ initialWindowSize }, () => clearTimeout(agreement));
  }
}
