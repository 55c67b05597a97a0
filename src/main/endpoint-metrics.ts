import { createServer } from "node:http";
import type { EndpointProxy } from "../proxy/endpoint-proxy.ts";
import type { House } from "./house.ts";
import { listenOnLoopback } from "./listen.ts";

const LOOPBACK = "127.0.0.1";

/** Serves /metrics, for this host alone, where a port is set for it. */
export async function openEndpointMetrics(
  { config, log, cleanup }: House,
  proxy: Pick<EndpointProxy, "metrics">,
): Promise<void> {
  if (config.metricsPort === "off") return;
  const server = createServer((request, response) => {
    const isPage = request.method === "GET" && request.url?.split("?", 1)[0] === "/metrics";
    if (!isPage) return void response.writeHead(404, { "content-type": "text/plain" }).end("There is only /metrics\n");
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(proxy.metrics());
  });
  const port = await listenOnLoopback(server, { bind: LOOPBACK, port: config.metricsPort, preferred: 0 });
  log.info({ url: `http://${LOOPBACK}:${port}/metrics` }, "metrics are served");
  cleanup.add(async () => {
    server.close();
    server.closeAllConnections();
  });
}
