import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Guest } from "./guest-directory.ts";
import { MAX_TOKEN_SECONDS, type MetadataTokens } from "./metadata-token.ts";
import { readMetadata, type MetadataSources } from "./metadata-tree.ts";

export interface MetadataServerOptions extends Omit<MetadataSources, "now"> {
  /** Whose address it is; undefined for a caller that is no running microVM. */
  readonly identify: (address: string) => Promise<Guest | undefined>;
  readonly tokens: MetadataTokens;
  /** A guest says that it is busy; absent where that does not count. */
  readonly onKeepAlive?: (guest: Guest) => void;
  readonly log: { error(values: object, message: string): void };
  readonly now?: () => Date;
}

const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const MAX_HEADER_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Instance metadata, version 2 (contract 9): a token first, then what it opens, and only of the microVM that asks. */
export function createMetadataServer(options: MetadataServerOptions): Server {
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(options, request).then(
        (given) => send(response, given),
        (err: unknown) => {
          options.log.error({ err }, "a guest's question to the metadata service failed");
          send(response, { status: 500 });
        },
      );
    },
  );
  server.keepAliveTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

async function answer(options: MetadataServerOptions, request: IncomingMessage): Promise<Answer> {
  request.resume(); // no request here has a body that matters
  // what came through a proxy did not come from inside this microVM alone
  if (request.headers["x-forwarded-for"] !== undefined) return { status: 403 };
  const guest = await options.identify((request.socket.remoteAddress ?? "").replace(/^::ffff:/, ""));
  if (!guest) return { status: 404 };
  const path = readPath(request.url ?? "/");
  if (!path) return { status: 404 };
  if (path.join("/") === "api/token") return giveToken(options, request, guest);
  const token = request.headers[TOKEN_HEADER];
  if (typeof token !== "string" || !options.tokens.isValid(guest.microvmId, token)) return { status: 401 };
  if (options.onKeepAlive !== undefined && path.join("/") === "keep-alive") {
    if (request.method !== "PUT") return { status: 405, headers: { allow: "PUT" } };
    options.onKeepAlive(guest);
    return { status: 200 };
  }
  if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, headers: { allow: "GET, HEAD" } };
  const found = await readMetadata(path, guest, { now: () => new Date(), ...options });
  if (found === undefined) return { status: 404 };
  return { status: 200, body: typeof found === "string" ? found : found.join("\n") };
}

function giveToken({ tokens }: MetadataServerOptions, { method, headers }: IncomingMessage, guest: Guest): Answer {
  if (method !== "PUT") return { status: 405, headers: { allow: "PUT" } };
  const asked = headers[TTL_HEADER];
  const seconds = typeof asked === "string" && /^\d{1,5}$/.test(asked) ? Number(asked) : 0;
  if (seconds < 1 || seconds > MAX_TOKEN_SECONDS) return { status: 400 };
  return { status: 200, headers: { [TTL_HEADER]: String(seconds) }, body: tokens.mint(guest.microvmId, seconds) };
}

/** The segments behind the version, "latest" or a date; undefined for a path without one. */
function readPath(url: string): string[] | undefined {
  const [, version = "", ...rest] = (url.split("?")[0] ?? "").split("/");
  if (!/^(latest|1\.0|\d{4}-\d{2}-\d{2})$/.test(version)) return undefined;
  return rest.filter((segment) => segment !== "");
}

const TITLES: Readonly<Record<number, string>> = {
  400: "400 - Bad Request",
  401: "401 - Unauthorized",
  403: "403 - Forbidden",
  404: "404 - Not Found",
  405: "405 - Method Not Allowed",
  500: "500 - Internal Server Error",
};

function send(response: ServerResponse, { status, headers = {}, body = TITLES[status] ?? "" }: Answer): void {
  if (response.destroyed) return;
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    "content-type": "text/plain",
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    server: "EC2ws",
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}
