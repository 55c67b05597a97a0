import { once } from "node:events";
import type { RawData, WebSocket } from "ws";

export interface ClientMessage {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
}

/** Messages kept before anybody takes them; more waits on the wire. */
const MAX_KEPT = 64;

/** A client's messages from the handshake on: none is lost before somebody takes them. */
export class Inbox {
  readonly #socket: WebSocket;
  #kept: ClientMessage[] = [];
  #deliver: ((message: ClientMessage) => void) | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => this.#onMessage({ bytes: bytesOf(data), isBinary }));
  }

  /** The first message; rejects when the signal aborts before. */
  async first(signal: AbortSignal): Promise<ClientMessage> {
    // The constructor's listener was there first, so the message is kept by the time this resolves.
    if (this.#kept.length === 0) await once(this.#socket, "message", { signal });
    const [message] = this.#kept.splice(0, 1);
    if (message === undefined) throw new Error("a message that came is not kept");
    return message;
  }

  /** Hands over what was kept, then everything as it comes. */
  deliverTo(handler: (message: ClientMessage) => void): void {
    this.#deliver = handler;
    this.#socket.resume(); // the handler pauses again when it must
    for (const message of this.#kept) handler(message);
    this.#kept = [];
  }

  #onMessage(message: ClientMessage): void {
    if (this.#deliver) return this.#deliver(message);
    this.#kept.push(message);
    if (this.#kept.length >= MAX_KEPT) this.#socket.pause();
  }
}

/** A message's bytes, whatever form the library gives them. */
function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
