import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCertificateAuthority } from "../src/auth/certificate-authority.ts";
import { openJweEndpointTokens } from "../src/auth/jwe-endpoint-tokens.ts";
import type { GuestLink, RelayRefusal } from "../src/guest-link/guest-link.ts";
import type { EndpointTarget } from "../src/lifecycle/microvm-service.ts";
import { createLog } from "../src/observability/log.ts";
import { createEndpointProxy } from "../src/proxy/endpoint-proxy.ts";

/** A process of its own with our proxy in front of one app: `node proxy-under-test.ts BACKEND_PORT`; prints where, as JSON. */
const backendPort = Number(process.argv[2]);
const label = randomUUID();
const microvmId = `microvm-${label}`;

/** A relay is a connection through the guest agent; here it is one to the backend itself, as for the peers. */
function relay(): Promise<Socket | RelayRefusal> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port: backendPort, noDelay: true, allowHalfOpen: true });
    socket.once("connect", () => resolve(socket));
    socket.once("error", (cause) => resolve({ refused: "guest-unreachable", cause }));
  });
}

const link = { relay } as unknown as GuestLink;
const target: EndpointTarget = {
  microvmId,
  ingressNetworkConnectors: [],
  awake: () => Promise.resolve(link),
  enter: () => () => {},
  touch: () => {},
  onDown: () => () => {},
};

const directory = await mkdtemp(join(tmpdir(), "catnap-bench-proxy-"));
const tokens = await openJweEndpointTokens(join(directory, "endpoint-keys.json"));
const proxy = createEndpointProxy({
  directory: { find: (wanted) => (wanted === label ? target : undefined) },
  tokens,
  certificates: await openCertificateAuthority({ directory, domain: "localhost" }),
  config: { bind: "127.0.0.1", endpointPort: 0, domain: "localhost", region: "us-east-1" },
  log: createLog("error"),
});
const { port } = await proxy.listen();
await rm(directory, { recursive: true });
const expiresAt = new Date(Date.now() + 3_600_000);
const token = await tokens.mint({ microvmId, kind: "http", ports: [{ allPorts: {} }], expiresAt });
process.once("SIGINT", () => process.exit());
console.log(JSON.stringify({ port, host: `${label}.lambda-microvm.us-east-1.localhost`, token }));
