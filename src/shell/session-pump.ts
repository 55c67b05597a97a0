import type { WebSocket } from "ws";
import type { GuestSession, SessionEvent } from "../guest-link/guest-link.ts";

export interface PumpRules {
  /** The frame that carries a piece of output. */
  readonly frameOf: (event: Extract<SessionEvent, { kind: "output" }>) => Uint8Array;
  /** Bytes passed. */
  readonly onActivity: () => void;
}

/**
 * Sends a session's output to a client, one frame at a time: a slow client holds the program up. Returns the exit code, or
 * undefined when the machine went away before. Throws when the agent breaks its protocol.
 */
export async function pumpOutput(
  socket: WebSocket,
  session: GuestSession,
  rules: PumpRules,
): Promise<number | undefined> {
  for await (const event of session as AsyncIterable<SessionEvent>) {
    if (event.kind === "exited") return event.code;
    rules.onActivity();
    await sendBinary(socket, rules.frameOf(event));
  }
  return undefined;
}

/** Hands a client's bytes to the program; one that takes no more stops the reading from the client. */
export function writeInput(socket: WebSocket, session: GuestSession, bytes: Uint8Array): void {
  if (bytes.length === 0 || session.destroyed || session.writableEnded) return;
  if (!session.write(bytes)) socket.pause(); // until the session drains, see ShellConnection
}

/** Resolves when the frame has left; a client that is gone is told of by "close". */
function sendBinary(socket: WebSocket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => socket.send(bytes, { binary: true }, () => resolve()));
}

export function sendJson(socket: WebSocket, message: Readonly<Record<string, unknown>>): void {
  socket.send(JSON.stringify(message), () => {});
}
