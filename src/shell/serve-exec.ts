import type { GuestSession, SessionEvent, SessionRequest } from "../guest-link/guest-link.ts";
import { isInputEnd, parseExecRequest, parseResize, type ExecRequest } from "./client-message.ts";
import type { ShellConnection } from "./connection.ts";
import type { ClientMessage } from "./inbox.ts";
import { refusalText } from "./refusal-text.ts";
import { pumpOutput, sendJson, writeInput } from "./session-pump.ts";

/** The subprotocol of Catnap's own extension: one command on pipes, or on a terminal, with its exit code. */
export const EXEC_SUBPROTOCOL = "catnap.exec";

const REQUEST_TIMEOUT_MS = 10_000;
const CHANNELS = { stdout: 1, stderr: 2 } as const;

/**
 * Client: a text frame `{"type":"exec","argv":[…]}` (also env, workdir, user, terminal), then binary frames of input, and
 * texts `{"type":"stdin_end"}` and resizes. Server: the text `session_init`, binary frames whose first byte says 1 stdout
 * or 2 stderr, and last the text `{"type":"exit","code":…}`, with a message when the program did not start.
 */
export async function serveExec(connection: ShellConnection): Promise<void> {
  const { socket, target } = connection;
  const request = await readRequest(connection);
  if (typeof request === "string") return connection.close(request);
  const session = await target.link.session(sessionRequest(request), connection.gone);
  if ("refused" in session) {
    const message = refusalText(session);
    connection.warn(message);
    if (session.refused === "not-started") sendJson(socket, { type: "exit", code: session.code, message });
    else sendJson(socket, { type: "error", message });
    return connection.close(session.refused === "not-started" ? "execExited" : "failed");
  }
  connection.hold(session);
  sendJson(socket, { type: "session_init", session_id: connection.sessionId });
  connection.inbox.deliverTo((message) => onMessage(connection, session, message));
  const code = await pumpOutput(socket, session, { frameOf, onActivity: () => target.touch() });
  if (code !== undefined) sendJson(socket, { type: "exit", code });
  connection.close(code === undefined ? "down" : "execExited");
}

async function readRequest({ inbox, gone }: ShellConnection): Promise<ExecRequest | "silent" | "badMessage"> {
  try {
    const signal = AbortSignal.any([gone, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    const { bytes, isBinary } = await inbox.first(signal);
    const request = isBinary ? undefined : parseExecRequest(bytes.toString("utf8"));
    return request ?? "badMessage";
  } catch {
    return "silent";
  }
}

function sessionRequest({ argv, env = {}, workdir, user, terminal }: ExecRequest): SessionRequest {
  return {
    argv,
    env: terminal ? { TERM: "xterm", ...env } : env,
    ...(workdir === undefined ? {} : { workingDir: workdir }),
    ...(user === undefined ? {} : { user }),
    ...(terminal === undefined ? {} : { terminal: { columns: terminal.cols, rows: terminal.rows } }),
  };
}

function onMessage(connection: ShellConnection, session: GuestSession, message: ClientMessage): void {
  connection.target.touch();
  if (message.isBinary) return writeInput(connection.socket, session, message.bytes);
  const text = message.bytes.toString("utf8");
  const size = parseResize(text);
  if (size) session.resize(size);
  else if (isInputEnd(text)) session.end();
  else connection.close("badMessage");
}

function frameOf({ stream, bytes }: Extract<SessionEvent, { kind: "output" }>): Uint8Array {
  return Buffer.concat([Buffer.of(CHANNELS[stream]), bytes]);
}
