import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { NODE_FLAGS } from "../src/cli/server-process.ts";
import { mustRun, runProgram } from "../test/support/project.ts";
import type { LoadTarget } from "./http-load.ts";

export interface RunningPeer {
  readonly target: LoadTarget;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface PeerPlace {
  readonly directory: string;
  readonly backendPort: number;
  readonly cpu: number;
}

const HOST = "bench.localhost";
const UP_WITHIN_MS = 10_000;

/** Reverse proxies of the distribution, each with one worker and connections to the backend kept open. */
export const PEERS: Readonly<Record<string, (place: PeerPlace) => Promise<RunningPeer>>> = {
  haproxy: (place) => startPeer(place, "haproxy.cfg", haproxyConfig, (file) => ["haproxy", "-db", "-f", file]),
  nginx: (place) =>
    startPeer(place, "nginx.conf", nginxConfig, (file) => ["nginx", "-p", place.directory, "-e", "stderr", "-c", file]),
  caddy: (place) =>
    startPeer(place, "Caddyfile", caddyConfig, (file) => ["caddy", "run", "--adapter", "caddyfile", "--config", file]),
};

export async function isInstalled(program: string): Promise<boolean> {
  return (await runProgram("sh", ["-c", `command -v ${program}`])).code === 0;
}

/** Our own proxy, a process of its own on the same processor as each peer. */
export async function startCatnap({ backendPort, cpu }: PeerPlace): Promise<RunningPeer> {
  const script = join(import.meta.dirname, "proxy-under-test.ts");
  const child = onCpu(cpu, [process.execPath, ...NODE_FLAGS, script, String(backendPort)], {}, "pipe");
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, "line")) as [string];
  const { port, host, token } = JSON.parse(line) as { port: number; host: string; token: string };
  return {
    target: { port, host, headers: [`x-aws-proxy-auth: ${token}`] },
    pid: child.pid ?? 0,
    stop: () => end(child),
  };
}

/** What all proxies stand in front of: nginx, answering from memory. */
export async function startBackend(
  place: Omit<PeerPlace, "backendPort">,
): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const file = join(place.directory, "backend.conf");
  await writeFile(file, backendConfig(port, place.directory));
  await writeFile(join(place.directory, "16k"), "x".repeat(16_000));
  await chmod(place.directory, 0o755);
  const child = onCpu(place.cpu, ["nginx", "-p", place.directory, "-e", "stderr", "-c", file]);
  await accepts(port, child);
  return { port, stop: () => end(child) };
}

/** One certificate for all peers, of the kind that Catnap's endpoints have. */
export async function makeCertificate(directory: string): Promise<void> {
  const key = join(directory, "key.pem");
  const certificate = join(directory, "cert.pem");
  await mustRun("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"],
    ...["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST}`, "-keyout", key, "-out", certificate],
  ]);
  const both = (await readFile(certificate, "utf8")) + (await readFile(key, "utf8"));
  await writeFile(join(directory, "both.pem"), both);
}

type Configure = (port: number, place: PeerPlace) => string;

async function startPeer(
  place: PeerPlace,
  name: string,
  configure: Configure,
  command: (file: string) => string[],
): Promise<RunningPeer> {
  const port = await freePort();
  const file = join(place.directory, name);
  await writeFile(file, configure(port, place));
  const child = onCpu(place.cpu, command(file), { GOMAXPROCS: "1", HOME: place.directory });
  await accepts(port, child);
  return { target: { port, host: HOST, headers: [] }, pid: child.pid ?? 0, stop: () => end(child) };
}

function haproxyConfig(port: number, { directory, backendPort }: PeerPlace): string {
  return `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port} ssl crt ${directory}/both.pem alpn h2,http/1.1
  default_backend out
backend out
  server app 127.0.0.1:${backendPort}
`;
}

function nginxConfig(port: number, { directory, backendPort }: PeerPlace): string {
  return `daemon off; worker_processes 1; pid ${directory}/nginx-peer.pid; user root;
events { worker_connections 4000; }
http {
  access_log off; keepalive_requests 100000000; ${temporaryPaths(directory)}
  upstream app { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} ssl http2; server_name ${HOST};
    ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;
    client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`;
}

function caddyConfig(port: number, { directory, backendPort }: PeerPlace): string {
  return `{
  admin off
  auto_https off
}
https://${HOST}:${port} {
  tls ${directory}/cert.pem ${directory}/key.pem
  reverse_proxy 127.0.0.1:${backendPort} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
}

function backendConfig(port: number, directory: string): string {
  return `daemon off; worker_processes 1; pid ${directory}/nginx-backend.pid; user root;
events { worker_connections 4000; }
http {
  access_log off; keepalive_requests 100000000; default_type text/plain; ${temporaryPaths(directory)}
  server {
    listen 127.0.0.1:${port}; client_max_body_size 0;
    location = / { return 200 "hello"; }
    location = /16k { root ${directory}; open_file_cache max=10; }
  }
}
`;
}

function temporaryPaths(directory: string): string {
  return ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(" ");
}

function onCpu(
  cpu: number,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdout: "ignore" | "pipe" = "ignore",
): ChildProcess {
  return spawn("taskset", ["-c", String(cpu), ...command], {
    stdio: ["ignore", stdout, "inherit"],
    env: { ...process.env, ...env },
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = globalThis.setTimeout(() => child.kill("SIGKILL"), UP_WITHIN_MS);
  await ended;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + UP_WITHIN_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const isUp = await new Promise((resolve) =>
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false)),
    );
    socket.destroy();
    if (isUp) return;
    await setTimeout(20);
  }
  throw new Error(`${child.spawnargs.join(" ")} does not listen on port ${port}`);
}
