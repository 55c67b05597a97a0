import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Activity } from "./activity.ts";

/** Silence after which a connection that the application has ended is taken for forgotten by the client. */
const HALF_OPEN_SILENCE_MS = 60_000;

/**
 * Joins a client and an application as raw streams, with back-pressure, until both are closed. The application may
 * end its half first; a client that ends its half has closed, as node's TLS sockets know no half-open state.
 */
export function splice(client: Socket, app: Duplex, activity: Activity): void {
  app.once("end", () => client.setTimeout(HALF_OPEN_SILENCE_MS, () => client.destroy()));
  client.pipe(app);
  app.pipe(client);
  activity.watch(client);
  activity.watch(app);
  client.on("error", () => app.destroy());
  app.on("error", () => client.destroy());
  client.once("close", () => app.destroy());
  app.once("close", () => {
    // Cut, not closed: the client must not take it for an orderly end. After an end, what is buffered still goes out.
    if (!app.readableEnded) client.destroy();
  });
}
