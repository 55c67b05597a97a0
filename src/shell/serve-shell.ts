import { parseResize } from "./client-message.ts";
import type { ShellConnection } from "./connection.ts";
import { refusalText } from "./refusal-text.ts";
import { pumpOutput, sendJson, writeInput } from "./session-pump.ts";
import { startShell } from "./start-shell.ts";

const FALLBACK_NOTICE = "This image has no shell; this one is Catnap's own busybox.\r\n";

/**
 * The service's terminal protocol (contract 7): a text frame with the session's id, then binary frames of terminal bytes
 * both ways; text that is no resize is typed.
 */
export async function serveShell(connection: ShellConnection): Promise<void> {
  const { socket, target } = connection;
  sendJson(socket, { type: "session_init", session_id: connection.sessionId });

  const started = await startShell(target.link, connection.gone);
  if ("refused" in started) {
    const text = refusalText(started);
    connection.warn(text);
    socket.send(Buffer.from(`${text}\r\n`), { binary: true }, () => {});
    return connection.close("failed");
  }
  const { session } = started;
  connection.hold(session);
  if (started.isFallback) socket.send(Buffer.from(FALLBACK_NOTICE), { binary: true }, () => {});
  connection.inbox.deliverTo(({ bytes, isBinary }) => {
    target.touch();
    const size = isBinary ? undefined : parseResize(bytes.toString("utf8"));
    if (size) session.resize(size);
    else writeInput(socket, session, bytes);
  });
  const code = await pumpOutput(socket, session, { frameOf: ({ bytes }) => bytes, onActivity: () => target.touch() });
  connection.close(code === undefined ? "down" : "exited");
}
