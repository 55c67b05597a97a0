import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { GuestSession } from "../guest-link/guest-link.ts";
import type { Log } from "../observability/log.ts";
import { closeWith, type CloseReason } from "./close-reasons.ts";
import { Inbox } from "./inbox.ts";
import type { ShellTarget } from "./shell-target.ts";

/** One client's connection, from the handshake to the close. */
export class ShellConnection {
  readonly socket: WebSocket;
  readonly target: ShellTarget;
  readonly sessionId = randomUUID();
  readonly inbox: Inbox;
  readonly #log: Log;
  readonly #gone = new AbortController();
  #session: GuestSession | undefined;
  #isClosing = false;

  constructor(socket: WebSocket, target: ShellTarget, log: Log) {
    this.socket = socket;
    this.target = target;
    this.inbox = new Inbox(socket);
    this.#log = log;
    const off = target.onDown(() => this.close("down"));
    socket.on("error", (error) =>
      this.#log.debug({ ...this.#facts, err: error }, "a shell's client broke the protocol"),
    );
    socket.once("close", () => {
      off();
      this.#gone.abort();
      this.#session?.destroy();
    });
  }

  /** Aborted when the client is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Ties a program to this connection: it ends with it. */
  hold(session: GuestSession): void {
    this.#session = session;
    session.on("error", (error) => {
      // Broken off from this side: the client has gone, or what it wanted has ended.
      if (error.name !== "AbortError")
        this.#log.error({ ...this.#facts, err: error }, "the guest agent broke a session");
    });
    session.on("drain", () => this.socket.resume());
    session.once("close", () => this.socket.resume());
    if (this.#gone.signal.aborted) session.destroy();
    this.#log.info(this.#facts, "shell session opened");
  }

  close(reason: CloseReason): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#session !== undefined) this.#log.info({ ...this.#facts, reason }, "shell session closed");
    this.#session?.destroy();
    closeWith(this.socket, reason);
  }

  /** Breaking off is how a closed session ends its reader, so only the first end counts. */
  failed(cause: unknown): void {
    if (this.#isClosing || this.#gone.signal.aborted) return;
    this.#log.error({ ...this.#facts, err: cause }, "a shell session failed");
    this.close("broken");
  }

  /** For what the client is told, and the operator as well. */
  warn(text: string): void {
    this.#log.warn(this.#facts, text);
  }

  get #facts(): Readonly<Record<string, string>> {
    return { microvmId: this.target.microvmId, sessionId: this.sessionId };
  }
}
