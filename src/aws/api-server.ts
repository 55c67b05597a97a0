import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { CredentialStore } from "../auth/credentials.ts";
import { auditRecord, type AuditRecord } from "./audit-record.ts";
import { handleCall, type ApiEdge } from "./api-call.ts";
import { NO_POLICIES, type CallAuthorizer } from "./call-access.ts";
import { sendResponse } from "./http-response.ts";
import type { ServiceDefinition } from "./service.ts";
import { ServiceRegistry } from "./service-registry.ts";

export interface ApiLog {
  info(values: object, message: string): void;
  error(values: object, message: string): void;
}

export interface ApiServerOptions {
  readonly services: readonly ServiceDefinition[];
  readonly credentials: CredentialStore;
  /** Domains below which host names carry a bucket: `BUCKET.localhost`. */
  readonly baseDomains: readonly string[];
  readonly log: ApiLog;
  /** Decides for callers that are bound by policies; without it they may do nothing. */
  readonly authorizer?: CallAuthorizer;
  readonly audit?: { record(entry: AuditRecord): void };
  readonly now?: () => Date;
}

/** Uploads may be large and slow; only a connection on which nothing moves is cut. */
const IDLE_TIMEOUT_MS = 120_000;
const MAX_HEADER_BYTES = 32 * 1024;

/** One endpoint for all AWS services, told apart by the credential scope of each request's signature. Call `listen` on it. */
export function createApiServer(options: ApiServerOptions): Server {
  const { credentials, baseDomains, log, audit, authorizer = NO_POLICIES, now = () => new Date() } = options;
  const registry = new ServiceRegistry(options.services);
  const edge: ApiEdge = { registry, credentials, baseDomains, authorizer, now };
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 30_000, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      void answer({ edge, log, audit }, request, response);
    },
  );
  server.timeout = IDLE_TIMEOUT_MS;
  return server;
}

async function answer(
  { edge, log, audit }: { edge: ApiEdge } & Pick<ApiServerOptions, "log" | "audit">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const started = performance.now();
  const requestId = randomUUID();
  const gone = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  try {
    if (request.method === "GET" && request.url === "/health") {
      return await sendResponse(response, {
        status: 200,
        headers: { "content-type": "application/json" },
        body: '{"status":"ok"}',
      });
    }
    const at = edge.now();
    const from = {
      sourceAddress: request.socket.remoteAddress?.replace(/^::ffff:/, ""),
      userAgent: request.headers["user-agent"],
    };
    const answered = await handleCall(edge, request, { requestId, ...from, signal: gone.signal });
    const { fault, service, operation, accessKeyId } = answered;
    const status = answered.response.status;
    if (status >= 500 && fault && !gone.signal.aborted)
      log.error({ requestId, service, operation, err: fault }, "a call failed");
    // before the answer goes out: whoever has read it finds the call on record
    const durationMs = Math.round(performance.now() - started);
    audit?.record(auditRecord(answered, { requestId, at, durationMs, ...from }));
    await sendResponse(response, answered.response);
    const ms = Math.round(performance.now() - started);
    log.info({ requestId, service, operation, status, error: fault?.shape, accessKeyId, ms }, "call");
  } catch (cause) {
    log[gone.signal.aborted ? "info" : "error"]({ requestId, err: cause }, "an answer could not be sent whole");
    response.destroy();
  }
}
