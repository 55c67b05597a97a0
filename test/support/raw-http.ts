import { once } from "node:events";
import { connect } from "node:net";
import type { RequestDraft } from "./sign-request.ts";

export interface RawAnswer {
  /** Undefined when the connection ended without an answer. */
  readonly status: number | undefined;
  readonly text: string;
}

const PATIENCE_MS = 20_000;

/**
 * Sends bytes as they are and reads until the server closes; rejects when it never does. The client's side stays open
 * meanwhile, as a server takes its end for a client that went away, unless `isCutShort`.
 */
export function sendBytes(
  port: number,
  chunks: readonly Buffer[],
  { isCutShort = false }: { isCutShort?: boolean } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const limit = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of the answer after ${PATIENCE_MS} ms: ${Buffer.concat(received).toString("latin1")}`));
    }, PATIENCE_MS);
    socket.on("data", (bytes) => received.push(bytes));
    socket.on("error", () => {}); // a server that refuses may close before it has read all
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(limit);
      const text = Buffer.concat(received)
        .toString("latin1")
        .replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "");
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
      resolve({ status: status === undefined ? undefined : Number(status), text });
    });
    for (const chunk of chunks) socket.write(chunk);
    if (isCutShort) socket.end();
  });
}

/** Sends bytes and breaks the connection off so many turns of the event loop later, as a client that was killed. */
export async function abandon(port: number, bytes: Buffer, turns: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  socket.resetAndDestroy();
}

/** A request on a connection of its own. */
export function toBytes({ method, target, headers, body }: RequestDraft): Buffer {
  const framing = "transfer-encoding" in headers || "content-length" in headers ? {} : lengthOf(body);
  const lines = Object.entries({ ...headers, ...framing, connection: "close" }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"), body]);
}

function lengthOf(body: Buffer): Record<string, string> {
  return body.length > 0 ? { "content-length": String(body.length) } : {};
}
