import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

/** An app's hook server that answers these statuses in order, the last one for good; 0 is silence. */
export async function useHookServer(statuses: readonly number[]) {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(request.url?.split("/").at(-1) ?? "");
    const status = statuses[Math.min(calls.length, statuses.length) - 1] ?? 200;
    if (status !== 0) response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const relay = async (): Promise<Duplex> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return socket;
  };
  return { calls, relay };
}
