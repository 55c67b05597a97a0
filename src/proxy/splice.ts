import type { Duplex } from "node:stream";
import type { Activity } from "./activity.ts";
import type { ClientStream } from "./client-exchange.ts";

/** Silence after which a connection that the application has ended is taken for forgotten by the client. */
const HALF_OPEN_SILENCE_MS = 60_000;

/**
 * Joins a client and an application as raw streams, with back-pressure, until both are closed. The application may
 * end its half first; a client that ends its half has closed, as node's TLS sockets know no half-open state.
 */
export function splice(client: ClientStream, app: Duplex, activity: Activity): void {
  app.once("end", () => client.setTimeout(HALF_OPEN_SILENCE_MS, () => client.destroy()));
  client.pipe(app);
  app.pipe(client);
  const count = (chunk: Buffer): void => activity.report(chunk.length);
  client.on("data", count); // the pipes are their consumers
  app.on("data", count);
  client.on("error", () => app.destroy());
  app.on("error", () => client.destroy());
  client.once("close", () => app.destroy());
  app.once("close", () => {
    // Cut, not closed: the client must not take it for an orderly end. After an end, what is buffered still goes out.
    if (!app.readableEnded) client.destroy();
  });
}
