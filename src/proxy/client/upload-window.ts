import { DEFAULT_WINDOW_BYTES } from "../http2/frames.ts";
import type { Credit } from "../http2/stream-input.ts";

const MIB = 1024 * 1024;
/** What a client may send ahead on a stream from its beginning: 46 MB/s over 90 ms of latency. */
const WIDE_BYTES = 4 * MIB;
/** And as soon as it is read, where it is the only upload. */
const WIDEST_BYTES = 12 * MIB;
/** Uploads at once that have a wide window each; more share what these take. */
const MANY = 8;
const NARROW_BYTES = MIB / 4;
const CONNECTION_BYTES = 16 * MIB;
const GRANT_BYTES = CONNECTION_BYTES / 16;

/** Who tells the client. */
interface WindowSpeaker {
  /** `stream`: 0 for the connection. */
  widen(stream: number, bytes: number): void;
  /** What a stream is to begin with, once the client agrees. */
  propose(initialBytes: number): void;
}

/**
 * How much a client may send ahead on one connection. The service's own window carries 0.6 MB/s over 90 ms of latency
 * (observed 2.5); many uploads at once get narrower ones, so that a connection whose applications do not read holds
 * tens of megabytes and not hundreds.
 */
export class UploadWindow implements Credit {
  static readonly initialBytes = WIDE_BYTES;
  readonly #speaker: WindowSpeaker;
  #uploads = 0;
  #isNarrow = false;
  /** What the client may still send on the connection. */
  #window = DEFAULT_WINDOW_BYTES;
  #unread = 0;

  constructor(speaker: WindowSpeaker) {
    this.#speaker = speaker;
  }

  get streamBytes(): number {
    if (this.#isNarrow) return NARROW_BYTES;
    return this.#uploads === 1 ? WIDEST_BYTES : WIDE_BYTES;
  }

  /** Opens the window of the connection. */
  open(): void {
    this.#widen();
  }

  onBegin(): void {
    this.#uploads++;
    if (this.#uploads > MANY && !this.#isNarrow) this.#set(true);
  }

  onEnd(): void {
    this.#uploads--;
    if (this.#uploads <= MANY / 2 && this.#isNarrow) this.#set(false);
  }

  /** So much comes; false when the client was not granted it. */
  take(bytes: number): boolean {
    this.#window -= bytes;
    this.#unread += bytes;
    return this.#window >= 0;
  }

  onRead(bytes: number): void {
    this.#unread -= bytes;
    if (CONNECTION_BYTES - this.#window - this.#unread >= GRANT_BYTES) this.#widen();
  }

  grant(stream: number, bytes: number): void {
    this.#speaker.widen(stream, bytes);
  }

  #widen(): void {
    const bytes = CONNECTION_BYTES - this.#window - this.#unread;
    this.#window += bytes;
    this.#speaker.widen(0, bytes);
  }

  #set(isNarrow: boolean): void {
    this.#isNarrow = isNarrow;
    this.#speaker.propose(isNarrow ? NARROW_BYTES : WIDE_BYTES);
  }
}
