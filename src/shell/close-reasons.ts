import type { WebSocket } from "ws";

/** Why the server ends a connection; codes of RFC 6455, 7.4.1. Only the first is the service's own (contract 7). */
export const CLOSE_REASONS = {
  exited: [1000, "shell exited"],
  execExited: [1000, "exited"],
  /** The microVM sleeps or has ended, or the server goes down. */
  down: [1001, "the MicroVM is no longer running"],
  serverDown: [1001, "the server goes down"],
  badMessage: [1008, "not a message of this protocol"],
  silent: [1008, "no exec request came in time"],
  failed: [1011, "the session could not be started"],
  broken: [1011, "the connection to the MicroVM broke"],
} as const;

export type CloseReason = keyof typeof CLOSE_REASONS;

/** Without effect on a connection that is closing already. */
export function closeWith(socket: WebSocket, reason: CloseReason): void {
  const [code, text] = CLOSE_REASONS[reason];
  socket.close(code, text);
}
