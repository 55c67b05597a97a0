import type { WebSocket } from "ws";

const PING_EVERY_MS = 30_000;
/** Pings without a sign of life: ten minutes, as a client whose output is paged reads nothing for a while. */
const MAX_MISSED = 20;

/**
 * Keeps idle connections open through middleboxes, and cuts those whose client does not answer any more. A client whose
 * whole host is gone is noticed sooner, by TCP.
 */
export function keepAlive(socket: WebSocket, everyMs = PING_EVERY_MS): void {
  let missed = 0;
  const isAlive = (): void => void (missed = 0);
  const timer = setInterval(() => {
    if (socket.isPaused) return; // its pongs are not read either
    if (missed >= MAX_MISSED) return socket.terminate();
    missed++;
    socket.ping();
  }, everyMs);
  timer.unref();
  socket.on("pong", isAlive).on("message", isAlive).on("ping", isAlive);
  socket.once("close", () => clearInterval(timer));
}
