import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { AppError } from "../errors/app-error.ts";

/** Listens on the configured port, or for port 0 on the preferred one if it is free, else on any. */
export async function listenOnLoopback(
  server: Server,
  options: { bind: string; port: number; preferred: number },
): Promise<number> {
  const { bind, port, preferred } = options;
  for (const candidate of port === 0 ? [preferred, 0] : [port]) {
    try {
      server.listen(candidate, bind);
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    } catch (cause) {
      if (port === 0 && candidate !== 0 && (cause as NodeJS.ErrnoException).code === "EADDRINUSE") continue;
      throw new AppError("ERR_CONFIG_INVALID", {
        message: `The API cannot listen on ${bind}:${candidate}; set CATNAP_API_PORT to a free port`,
        cause,
      });
    }
  }
  throw new AppError("ERR_CONFIG_INVALID", { message: `No port is free on ${bind}` });
}
