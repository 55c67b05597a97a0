import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { LambdaMicrovms } from "@aws-sdk/client-lambda-microvms";
import { WebSocket } from "ws";
import { AppError } from "../errors/app-error.ts";
import { environment } from "./env.ts";
import { lookupLoopback } from "./lookup-loopback.ts";
import { clientSettings } from "./client-settings.ts";

/** A token is needed only for the moment of connecting. */
const TOKEN_MINUTES = 1;
const HANDSHAKE_LIMIT_MS = 90_000;
const MARKER = "lambda-microvms";
const MAX_SHOWN_CHARACTERS = 500;

/** Connects to the shell of a microVM as any client does: token from the API, then the endpoint. A sleeper wakes. */
export async function connectShell(microvmId: string, subprotocols: readonly string[] = []): Promise<WebSocket> {
  const variables = await environment();
  if (variables === undefined)
    throw new AppError("ERR_CONFIG_INVALID", { message: "Catnap is not running; start it with: catnap up --detach" });
  const { endpoint, token } = await askForToken(variables, microvmId);
  const socket = new WebSocket(`wss://${endpoint}/shell`, [MARKER, ...subprotocols], {
    headers: { "x-aws-proxy-auth": token },
    ca: await readFile(variables["AWS_CA_BUNDLE"] ?? "", "utf8"),
    lookup: lookupLoopback,
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    perMessageDeflate: false,
  });
  return await opened(socket);
}

async function askForToken(
  variables: Readonly<Record<string, string>>,
  microvmIdentifier: string,
): Promise<{ endpoint: string; token: string }> {
  const client = new LambdaMicrovms(clientSettings(variables));
  try {
    const [{ endpoint = "" }, { authToken = {} }] = await Promise.all([
      client.getMicrovm({ microvmIdentifier }),
      client.createMicrovmShellAuthToken({ microvmIdentifier, expirationInMinutes: TOKEN_MINUTES }),
    ]);
    return { endpoint, token: authToken["X-aws-proxy-auth"] ?? "" };
  } catch (cause) {
    throw new AppError("ERR_SERVICE_FAULT", { message: cause instanceof Error ? cause.message : String(cause), cause });
  } finally {
    client.destroy();
  }
}

/** Paused: nothing that comes is lost before the caller listens. */
function opened(socket: WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.once("error", (cause) =>
      reject(new AppError("ERR_SERVICE_FAULT", { message: `The endpoint cannot be reached: ${cause.message}`, cause })),
    );
    socket.once("unexpected-response", (_request, response) => void refusalOf(response).then(reject));
    socket.once("open", () => {
      socket.pause();
      socket.removeAllListeners("error").on("error", () => {}); // "close" follows and is what counts
      resolve(socket);
    });
  });
}

async function refusalOf(response: IncomingMessage): Promise<AppError> {
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) if (text.length < MAX_SHOWN_CHARACTERS) text += chunk;
  } catch {
    // What came before the break is still of use.
  }
  response.destroy();
  const why = text.trim().slice(0, MAX_SHOWN_CHARACTERS);
  const message = `The endpoint refused the shell (${response.statusCode ?? 0}${why === "" ? "" : `: ${why}`})`;
  return new AppError("ERR_SERVICE_FAULT", { message });
}
