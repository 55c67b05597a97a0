import type { Socket } from "node:net";
import { AppError } from "../errors/app-error.ts";
import type { GuestAddress } from "./guest-link.ts";
import { connectToGuest } from "./connect.ts";
import { readLine, type Patience } from "./read-line.ts";

/** How long a connection to an agent that is up may take, under load and emulation. */
const CONNECT_TIMEOUT_MS = 5000;

export interface GuestRequest {
  /** Without its line feed. */
  readonly line: string;
  readonly body?: Uint8Array;
  readonly patience: Patience;
}

/** An open connection and what the agent replied first. */
export interface GuestReply {
  readonly socket: Socket;
  /** "ok", "refused", "error …" */
  readonly line: string;
}

/** Connects, sends one request, and reads its reply line; the connection stays open for what follows. */
export async function openRequest(address: GuestAddress, request: GuestRequest): Promise<GuestReply> {
  const { signal } = request.patience;
  const socket = await connectToGuest(address, {
    timeoutMs: Math.min(CONNECT_TIMEOUT_MS, request.patience.timeoutMs),
    signal,
  });
  try {
    socket.write(`${request.line}\n`);
    if (request.body !== undefined) socket.write(request.body);
    return { socket, line: await readLine(socket, request.patience) };
  } catch (error) {
    socket.on("error", () => {}).destroy();
    throw error;
  }
}

/** Sends one request on a connection of its own; the words after "ok". ERR_GUEST_REFUSED carries the agent's reason. */
export async function ask(address: GuestAddress, request: GuestRequest): Promise<string[]> {
  const { socket, line } = await openRequest(address, request);
  socket.on("error", () => {}).destroy();
  return parseReply(line);
}

/** The words after "ok"; throws for anything else. */
export function parseReply(line: string): string[] {
  const [word, ...rest] = line.split(" ");
  if (word === "ok") return rest;
  if (word === "error") throw new AppError("ERR_GUEST_REFUSED", { message: rest.join(" ") });
  throw outOfProtocol(line);
}

export function outOfProtocol(line: string): AppError {
  return new AppError("ERR_GUEST_PROTOCOL", {
    message: `The guest agent answered out of protocol: ${line.slice(0, 100)}`,
  });
}
