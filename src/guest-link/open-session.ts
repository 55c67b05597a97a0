import { AppError } from "../errors/app-error.ts";
import type { ErrorCode } from "../errors/catalogue.ts";
import { SESSION_AGENT_VERSION } from "../model/guest.ts";
import { ask, openRequest, outOfProtocol } from "./control.ts";
import type { GuestAddress, GuestSession, SessionRefusal, SessionRequest } from "./guest-link.ts";
import { encodeSessionConfig } from "./session-config.ts";
import { SessionStream } from "./session-stream.ts";

/** The agent gives a start up after 10 s. */
const START_TIMEOUT_MS = 15_000;
const HELLO_TIMEOUT_MS = 10_000;
const NOT_STARTED = /^failed (\d{1,3}) (.*)$/;
const NO_REQUEST = "not a request";

/** Asks the agent to run a program. Throws nothing but ERR_CANCELLED. */
export async function openSession(
  address: GuestAddress,
  request: SessionRequest,
  signal?: AbortSignal,
): Promise<GuestSession | SessionRefusal> {
  try {
    const body = encodeSessionConfig(request);
    const patience = { timeoutMs: START_TIMEOUT_MS, signal };
    const { socket, line } = await openRequest(address, { line: `session ${body.length}`, body, patience });
    if (line === "ok") return new SessionStream(socket);
    socket.on("error", () => {}).destroy();
    return await refusalOf(line, address, signal);
  } catch (cause) {
    if (isCode(cause, "ERR_CANCELLED")) throw cause;
    if (isCode(cause, "ERR_GUEST_REFUSED")) return { refused: "agent-refused", reason: cause.message };
    // An old agent hangs up on the request, and its answer may get lost with the connection.
    const version = await agentVersion(address, signal).catch(() => SESSION_AGENT_VERSION);
    return version < SESSION_AGENT_VERSION ? { refused: "agent-too-old" } : { refused: "guest-unreachable", cause };
  }
}

async function refusalOf(line: string, address: GuestAddress, signal?: AbortSignal): Promise<SessionRefusal> {
  const [, code, why] = NOT_STARTED.exec(line) ?? [];
  if (code !== undefined && Number(code) <= 255)
    return { refused: "not-started", code: Number(code), reason: why ?? "" };
  const reason = /^error (.*)$/.exec(line)?.[1];
  if (reason === undefined) throw outOfProtocol(line);
  const isOld = reason === NO_REQUEST && (await agentVersion(address, signal)) < SESSION_AGENT_VERSION;
  return isOld ? { refused: "agent-too-old" } : { refused: "agent-refused", reason };
}

/** 1 for agents that know no hello. */
async function agentVersion(address: GuestAddress, signal?: AbortSignal): Promise<number> {
  try {
    const words = await ask(address, { line: "hello", patience: { timeoutMs: HELLO_TIMEOUT_MS, signal } });
    if (words.length !== 1 || !/^\d{1,6}$/.test(words[0] ?? "")) throw outOfProtocol(words.join(" "));
    return Number(words[0]);
  } catch (error) {
    if (isCode(error, "ERR_GUEST_REFUSED") && error.message === NO_REQUEST) return 1;
    throw error;
  }
}

function isCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code;
}
