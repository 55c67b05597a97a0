import { Transform, type Duplex } from "node:stream";
import type { Activity } from "../activity.ts";
import type { ClientStream } from "../client-exchange.ts";

/** Silence after which a connection that the application has ended is taken for forgotten by the client. */
const HALF_OPEN_SILENCE_MS = 60_000;

/**
 * Joins a client and an application as raw streams, with back-pressure, until both are closed. The application may
 * end its half first; a client that ends its half has closed, as node's TLS sockets know no half-open state.
 */
export function splice(client: ClientStream, app: Duplex, activity: Activity): void {
  app.once("end", () => client.setTimeout(HALF_OPEN_SILENCE_MS, () => client.destroy()));
  if (activity.isThrottled) {
    client.pipe(slowed((bytes) => activity.onReceived(bytes))).pipe(app);
    app.pipe(slowed((bytes) => activity.onSent(bytes))).pipe(client);
  } else {
    client.pipe(app);
    app.pipe(client);
    client.on("data", (chunk: Buffer) => void activity.onReceived(chunk.length)); // the pipes are their consumers
    app.on("data", (chunk: Buffer) => void activity.onSent(chunk.length));
  }
  client.on("error", () => app.destroy());
  app.on("error", () => client.destroy());
  client.once("close", () => app.destroy());
  app.once("close", () => {
    // Cut, not closed: the client must not take it for an orderly end. After an end, what is buffered still goes out.
    if (!app.readableEnded) client.destroy();
  });
}

/** Passes bytes on as fast as the bandwidth allows. */
function slowed(take: (bytes: number) => number): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const waitMs = take(chunk.length);
      if (waitMs > 0) setTimeout(done, waitMs, null, chunk).unref();
      else done(null, chunk);
    },
  });
}
