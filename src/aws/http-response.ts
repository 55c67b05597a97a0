import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { WireResponse } from "./protocol/wire.ts";

/** Writes an answer; a body that fails half-way ends the connection, so that no client takes it for whole. */
export async function sendResponse(response: ServerResponse, { status, headers, body }: WireResponse): Promise<void> {
  if (response.destroyed) {
    if (body instanceof Readable) body.destroy();
    return;
  }
  const isBodiless = response.req.method === "HEAD" || status === 204 || status === 304;
  if (body instanceof Readable) {
    response.writeHead(status, headers);
    if (!isBodiless) return await pipeline(body, response);
    body.destroy();
    response.end();
    return;
  }
  const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array());
  const length = isBodiless ? {} : { "content-length": String(bytes.length) };
  response.writeHead(status, { ...headers, ...length });
  response.end(isBodiless ? undefined : bytes);
}
