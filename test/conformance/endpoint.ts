/**
 * An endpoint for conformance suites, which send no token: our proxy on a free port, its microVM's ports public, and behind
 * it an application on loopback: `./dev node test/conformance/endpoint.ts [APP_PORT]`. Without one it has its own, which
 * answers requests and echoes WebSockets. Prints host and port, then serves until it is interrupted.
 * `plainPort` leads to the same without TLS, for suites that know no server names.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createConnection, createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { connect } from "node:tls";
import { WebSocketServer } from "ws";
import { openCertificateAuthority } from "../../src/auth/certificate-authority.ts";
import { openJweEndpointTokens } from "../../src/auth/jwe-endpoint-tokens.ts";
import type { GuestLink } from "../../src/guest-link/guest-link.ts";
import { createLog } from "../../src/observability/log.ts";
import { createEndpointProxy } from "../../src/proxy/endpoint-proxy.ts";

const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const label = randomUUID();
const appPort = Number(process.argv[2] ?? (await startApp()));

async function startApp(): Promise<number> {
  const app = createServer((request, response) => request.resume().once("end", () => response.end("an answer\n")));
  const sockets = new WebSocketServer({
    server: app,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: true,
    maxFragments: 0,
  });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {}); // the suite's business is to break the protocol
    socket.on("message", (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  await once(app.listen(0, "127.0.0.1"), "listening");
  return (app.address() as AddressInfo).port;
}

function relay(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: "127.0.0.1", port: appPort, noDelay: true, allowHalfOpen: true });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}

const link = { relay } as unknown as GuestLink;
const target = {
  microvmId: `microvm-${label}`,
  ingressNetworkConnectors: [
    "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:PUBLIC_INGRESS_8080",
  ],
  awake: () => Promise.resolve(link),
  enter: () => () => {},
  touch: () => {},
  onDown: () => () => {},
};
const directory = await mkdtemp(join(tmpdir(), "catnap-conformance-"));
const certificates = await openCertificateAuthority({ directory, domain: "localhost" });
const proxy = createEndpointProxy({
  directory: { find: (wanted) => (wanted === label ? target : undefined) },
  tokens: await openJweEndpointTokens(join(directory, "endpoint-keys.json")),
  certificates,
  config: { bind: "127.0.0.1", endpointPort: 0, domain: "localhost", region: "us-east-1" },
  log: createLog("error"),
});
const { port } = await proxy.listen();
await rm(directory, { recursive: true });
const host = `${label}.lambda-microvm.us-east-1.localhost`;
const plain = createTcpServer({ allowHalfOpen: true }, (socket) => {
  const onward = connect({ host: "127.0.0.1", port, servername: host, ca: certificates.rootPem });
  pipeline(socket, onward, socket, () => {});
});
await once(plain.listen(0, "127.0.0.1"), "listening");
process.once("SIGINT", () => process.exit());
console.log(JSON.stringify({ host, port, plainPort: (plain.address() as AddressInfo).port }));
