import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Activity } from "./activity.ts";

/** Silence after which a connection that one side has ended is taken for forgotten by the other. */
const HALF_OPEN_SILENCE_MS = 60_000;

/** Joins a client and an application as raw streams, with back-pressure and half-close, until both are closed. */
export function splice(client: Socket, app: Duplex, activity: Activity): void {
  const expire = (): void => void client.setTimeout(HALF_OPEN_SILENCE_MS, () => client.destroy());
  client.once("end", expire);
  app.once("end", expire);
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
