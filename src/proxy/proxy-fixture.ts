import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { openCertificateAuthority, type CertificateAuthority } from "../auth/certificate-authority.ts";
import type { EndpointTokens, PortScope, TokenClaims } from "../auth/endpoint-token.ts";
import { openJweEndpointTokens } from "../auth/jwe-endpoint-tokens.ts";
import type { GuestLink, RelayRefusal } from "../guest-link/guest-link.ts";
import type { EndpointTarget, WakeRefusal } from "../lifecycle/microvm-service.ts";
import { createEndpointProxy, type EndpointProxy, type EndpointProxyOptions } from "./endpoint-proxy.ts";

/** A microVM as the proxy sees it; its guest's ports are ports of this host, mapped by `ports`. */
export class TestMicrovm implements EndpointTarget {
  readonly label = randomUUID();
  readonly host = `${this.label}.lambda-microvm.us-east-1.localhost`;
  readonly microvmId = `microvm-${randomUUID()}`;
  ingressNetworkConnectors: string[] = [];
  /** Guest port to the port of a real server on this host. */
  readonly ports = new Map<number, number>();
  /** Replaces the next wakes. */
  onAwake: ((signal: AbortSignal) => Promise<GuestLink | WakeRefusal>) | undefined;
  wakes = 0;
  touches = 0;
  relays = 0;
  /** Host ends of relayed connections, open or not. */
  readonly streams: Socket[] = [];
  readonly #downListeners = new Set<() => void>();
  #link = this.#newLink();

  awake(signal: AbortSignal): Promise<GuestLink | WakeRefusal> {
    this.wakes++;
    return this.onAwake ? this.onAwake(signal) : Promise.resolve(this.#link);
  }

  enter(): () => void {
    return () => {};
  }

  touch(): void {
    this.touches++;
  }

  onDown(listener: () => void): () => void {
    this.#downListeners.add(listener);
    return () => this.#downListeners.delete(listener);
  }

  /** What the lifecycle does on leaving RUNNING. */
  goDown(): void {
    for (const listener of [...this.#downListeners]) listener();
    this.#link = this.#newLink();
  }

  get downListeners(): number {
    return this.#downListeners.size;
  }

  get link(): GuestLink {
    return this.#link;
  }

  #newLink(): GuestLink {
    const relay = (port: number): Promise<Duplex | RelayRefusal> => this.#relay(port);
    return { relay } as unknown as GuestLink; // the proxy uses nothing else of it
  }

  #relay(port: number): Promise<Duplex | RelayRefusal> {
    this.relays++;
    const mapped = this.ports.get(port);
    if (mapped === undefined) return Promise.resolve({ refused: "port-closed" });
    return new Promise((resolve) => {
      const socket = createConnection({ host: "127.0.0.1", port: mapped, noDelay: true, allowHalfOpen: true });
      socket.once("connect", () => {
        this.streams.push(socket);
        resolve(socket);
      });
      socket.once("error", () => resolve({ refused: "port-closed" }));
    });
  }
}

export interface ProxyFixture {
  readonly proxy: EndpointProxy;
  readonly port: number;
  readonly certificates: CertificateAuthority;
  readonly tokens: EndpointTokens;
  readonly microvm: TestMicrovm;
  addMicrovm(): TestMicrovm;
  token(claims?: Partial<TokenClaims>): Promise<string>;
  /** A request to the first microVM with a token for all ports, unless the options say otherwise. */
  send(options?: SendOptions): Promise<Answer>;
  tls(options?: { servername?: string }): Promise<TLSSocket>;
}

export interface SendOptions extends RequestOptions {
  readonly body?: string | Buffer;
  /** Null sends none. */
  readonly token?: string | null;
  readonly to?: TestMicrovm;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

export const ALL_PORTS: readonly PortScope[] = [{ allPorts: {} }];

/** A proxy on a free loopback port with one microVM behind it, closed when the test ends. */
export async function useProxy(overrides: Partial<EndpointProxyOptions> = {}): Promise<ProxyFixture> {
  const directory = await useDirectory();
  const certificates = await openCertificateAuthority({ directory, domain: "localhost" });
  const tokens = await openJweEndpointTokens(join(directory, "endpoint-keys.json"));
  const microvms = new Map<string, TestMicrovm>();
  const addMicrovm = (): TestMicrovm => {
    const microvm = new TestMicrovm();
    microvms.set(microvm.label, microvm);
    return microvm;
  };
  const microvm = addMicrovm();
  const config = { bind: "127.0.0.1", endpointPort: 0, domain: "localhost", region: "us-east-1" };
  const log = pino({ level: "silent" });
  const proxy = createEndpointProxy({
    directory: { find: (label) => microvms.get(label) },
    tokens,
    certificates,
    config,
    log,
    ...overrides,
  });
  onTestFinished(() => proxy.close());
  const { port } = await proxy.listen();
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());

  const token = (claims: Partial<TokenClaims> = {}): Promise<string> =>
    tokens.mint({
      microvmId: microvm.microvmId,
      kind: "http",
      ports: ALL_PORTS,
      expiresAt: new Date(Date.now() + 60_000),
      ...claims,
    });

  return {
    proxy,
    port,
    certificates,
    tokens,
    microvm,
    addMicrovm,
    token,
    async send({ body, token: given, to = microvm, headers, ...options } = {}) {
      const auth = given === undefined ? await token({ microvmId: to.microvmId }) : given;
      const all =
        auth === null ? { host: to.host, ...headers } : { host: to.host, "x-aws-proxy-auth": auth, ...headers };
      const request = httpsRequest({
        host: "127.0.0.1",
        port,
        servername: to.host,
        ca: certificates.rootPem,
        agent,
        headers: all,
        ...options,
      });
      request.end(body);
      return await answerOf(await responseOf(request));
    },
    async tls({ servername = microvm.host } = {}) {
      const socket = connect({ host: "127.0.0.1", port, servername, ca: certificates.rootPem });
      onTestFinished(() => void socket.destroy());
      await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
      return socket;
    },
  };
}

/** A temporary directory, removed when the test ends. */
export async function useDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-proxy-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A real server on a free loopback port, closed when the test ends; HTTP servers are net servers too. */
export async function useServer(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A raw application: whatever it does with each connection. */
export function useRawApp(onConnection: (socket: Socket) => void): Promise<number> {
  return useServer(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      onConnection(socket);
    }),
  );
}

export function responseOf(request: NodeJS.EventEmitter): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.once("response", resolve).once("error", reject));
}

export async function answerOf(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body };
}

/** Everything a raw connection sends until it ends. */
export async function readAll(socket: Duplex): Promise<string> {
  let text = "";
  socket.on("error", () => {});
  for await (const chunk of socket.setEncoding("latin1")) text += chunk as string;
  return text;
}
