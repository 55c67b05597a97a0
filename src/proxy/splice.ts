import type { Duplex } from "node:stream";
import type { Activity } from "./activity.ts";

/** How long a client may take to close after the application did, with everything delivered. */
const CLOSE_GRACE_MS = 10_000;

/** Joins a client and an application as raw streams, with back-pressure and half-close, until both are closed. */
export function splice(client: Duplex, app: Duplex, activity: Activity): void {
  client.pipe(app);
  app.pipe(client);
  activity.watch(client);
  activity.watch(app);
  client.on("error", () => app.destroy());
  app.on("error", () => client.destroy());
  client.once("close", () => app.destroy());
  app.once("close", () => {
    if (!app.readableEnded) {
      client.destroy(); // cut, not closed: the client must not take it for an end
      return;
    }
    // Piping has ended our half of the client's connection; what is still buffered goes out first.
    const timer = setTimeout(() => client.destroy(), CLOSE_GRACE_MS);
    timer.unref();
    client.once("close", () => clearTimeout(timer));
  });
}
