import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { rawRefusal, type Refusal } from "./refusal.ts";

/** How long a refused client may take to read the refusal. */
const READ_GRACE_MS = 1000;

/** Connections with answers under way, where raw bytes would land in the middle of one. */
export class OpenAnswers {
  readonly #count = new WeakMap<Duplex, number>();

  add(socket: Duplex): void {
    this.#count.set(socket, this.of(socket) + 1);
  }

  remove(socket: Duplex): void {
    this.#count.set(socket, this.of(socket) - 1);
  }

  of(socket: Duplex): number {
    return this.#count.get(socket) ?? 0;
  }
}

/** Answers what node's parser refused, in the proxy's own form, and closes the connection. */
export function clientErrorHandler(open: OpenAnswers): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  const answered = new WeakSet<Duplex>();
  return (error, socket) => {
    if (answered.has(socket)) return;
    answered.add(socket);
    if (!socket.writable || open.of(socket) > 0 || error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    socket.end(rawRefusal(refusalOf(error), randomUUID()));
    const timer = setTimeout(() => socket.destroy(), READ_GRACE_MS);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  };
}

function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") return { refused: "header-too-large" };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return { refused: "request-timeout" };
  return { refused: "malformed", why: "not valid HTTP/1.1" };
}
