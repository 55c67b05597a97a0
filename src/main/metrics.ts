import { createServer } from "node:http";
import type { House } from "./house.ts";
import { listenOnLoopback } from "./listen.ts";

const LOOPBACK = "127.0.0.1";
const PLAIN = { "content-type": "text/plain" };

/** A part of the page; it ends with a line end. */
export type MetricsSource = () => Promise<string>;

/** Serves /metrics, for this host alone, where a port is set for it. */
export async function openMetrics({ config, log, cleanup }: House, sources: readonly MetricsSource[]): Promise<void> {
  if (config.metricsPort === "off") return;
  const server = createServer((request, response) => {
    const isPage = request.method === "GET" && request.url?.split("?", 1)[0] === "/metrics";
    if (!isPage) return void response.writeHead(404, PLAIN).end("There is only /metrics\n");
    Promise.all(sources.map((render) => render())).then(
      (parts) =>
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(parts.join("")),
      (err: unknown) => {
        log.error({ err }, "metrics could not be read");
        response.writeHead(500, PLAIN).end("The metrics could not be read; the server's log says why\n");
      },
    );
  });
  const port = await listenOnLoopback(server, { bind: LOOPBACK, port: config.metricsPort, preferred: 0 });
  log.info({ url: `http://${LOOPBACK}:${port}/metrics` }, "metrics are served");
  cleanup.add(async () => {
    server.close();
    server.closeAllConnections();
  });
}
