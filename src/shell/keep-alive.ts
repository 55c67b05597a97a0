import type { WebSocket } from "ws";

const PING_EVERY_MS = 30_000;
/** Pings without a sign of life before a connection is given up. */
const MAX_MISSED = 2;
/** A client that reads slowly gets to our pings late; TCP itself notices one that is gone. */
const MAX_MISSED_WHILE_SENDING = 30;

/** Keeps idle connections open through middleboxes, and cuts those whose client is gone. */
export function keepAlive(socket: WebSocket, everyMs = PING_EVERY_MS): void {
  let missed = 0;
  const isAlive = (): void => void (missed = 0);
  const timer = setInterval(() => {
    if (socket.isPaused) return; // its pongs are not read either
    if (missed >= (socket.bufferedAmount > 0 ? MAX_MISSED_WHILE_SENDING : MAX_MISSED)) return socket.terminate();
    missed++;
    socket.ping();
  }, everyMs);
  timer.unref();
  socket.on("pong", isAlive).on("message", isAlive).on("ping", isAlive);
  socket.once("close", () => clearInterval(timer));
}
