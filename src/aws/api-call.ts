import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { authenticate, type Authenticated, type Unauthenticated } from "../auth/authenticate.ts";
import type { CredentialStore } from "../auth/credentials.ts";
import { detach, openPayload } from "../auth/signed-payload.ts";
import type { Principal } from "../auth/principal.ts";
import { refuse } from "../auth/sigv4-request.ts";
import { ServiceFault } from "../errors/service-fault.ts";
import { authFault } from "./auth-faults.ts";
import type { CallAuthorizer } from "./call-access.ts";
import { dispatch, type DispatchResult } from "./dispatch.ts";
import { parseHttpRequest, type ParsedRequest } from "./http-request.ts";
import { CollectedBody, readBody } from "./protocol/read-body.ts";
import { readS3Address } from "./s3-address.ts";
import type { HostedService, ServiceRegistry } from "./service-registry.ts";

/** What every call needs of the server. */
export interface ApiEdge {
  readonly registry: ServiceRegistry;
  readonly credentials: CredentialStore;
  /** Domains below which host names carry a bucket: `BUCKET.localhost`. */
  readonly baseDomains: readonly string[];
  readonly authorizer: CallAuthorizer;
  readonly now: () => Date;
}

/** The answer to a call, with what the log is to say of it. */
export interface AnsweredCall extends DispatchResult {
  readonly service?: string;
  /** As claimed, also where the signature does not prove it. */
  readonly accessKeyId?: string;
  /** Who signed, proven, and for which Region. */
  readonly caller?: { readonly principal: Principal; readonly region: string };
}

export interface RequestScope {
  readonly requestId: string;
  readonly sourceAddress?: string;
  readonly userAgent?: string;
  readonly signal: AbortSignal;
}

/** Parses, authenticates and dispatches one request; throws only for defects of the edge itself. */
export async function handleCall(edge: ApiEdge, request: IncomingMessage, scope: RequestScope): Promise<AnsweredCall> {
  let parsed: ParsedRequest;
  try {
    parsed = parseHttpRequest(request);
  } catch (cause) {
    const fault = new ServiceFault("InvalidURI", "Couldn't parse the specified URI.", { status: 400, cause });
    const guessed = edge.registry.guess({ method: "GET", path: request.url ?? "/", query: [], contentType: "" });
    return refused(guessed, fault, scope);
  }
  const body = new OnceRead(request);
  let identity: Authenticated | Unauthenticated;
  try {
    identity = await authenticate({
      request: parsed,
      credentials: edge.credentials,
      readBody: (name) => body.collect(bodyLimit(edge, name)),
      now: edge.now(),
    });
  } catch (cause) {
    if (!(cause instanceof ServiceFault)) throw cause;
    return refused(guess(edge, parsed), cause, scope);
  }
  const [service, ...others] = edge.registry.bySigningName(identity.signingName ?? "");
  if ("refused" in identity) {
    const speaker = service ?? guess(edge, parsed);
    const fault = authFault(speaker?.definition.protocol ?? "restJson1", identity);
    return { ...refused(speaker, fault, scope), accessKeyId: identity.accessKeyId };
  }
  const { principal, region } = identity;
  const known = { accessKeyId: principal.accessKeyId, caller: { principal, region } };
  if (!service) {
    const speaker = guess(edge, parsed);
    const unknown = refuse(
      "mismatch",
      `Credential should be scoped to a service of this endpoint; it has no ${identity.signingName}`,
    );
    return { ...refused(speaker, authFault(speaker?.definition.protocol ?? "restJson1", unknown), scope), ...known };
  }
  if (parsed.hasBareEquals && service.definition.protocol === "restJson1") {
    // As seen on the service with the "=" at the end of a nextToken (contract 1).
    const message = "The query is malformed: an equals sign in a value must be percent-encoded as %3D";
    return { ...refused(service, new ServiceFault("ValidationException", message, { status: 400 }), scope), ...known };
  }
  const context = { ...scope, principal, accountId: principal.accountId, region };
  try {
    const addressed = identity.signingName === "s3" ? addressS3(edge, parsed) : { request: parsed };
    const readable = body.readable(parsed, identity);
    const result = await dispatch({
      ...addressed,
      services: [service, ...others],
      request: { ...addressed.request, body: readable },
      context,
      authorizer: edge.authorizer,
    });
    // what a refused upload still sends is read and dropped, or the connection would be stuck behind it
    if (result.fault) readable.destroy();
    return { ...result, ...known, service: service.definition.signingName };
  } catch (cause) {
    const isPath = cause instanceof URIError;
    const fault = isPath
      ? new ServiceFault("InvalidURI", "Couldn't parse the specified URI.", { status: 400, cause })
      : cause;
    const told = fault instanceof ServiceFault ? fault : service.protocol.internalFault(fault);
    return { ...refused(service, told, scope), ...known };
  }
}

function bodyLimit(edge: ApiEdge, signingName: string): number {
  return Math.max(0, ...edge.registry.bySigningName(signingName).map(({ protocol }) => protocol.maxBodyBytes));
}

/** The bucket becomes a label and leaves the path, whichever of the two ways the client wrote it. */
function addressS3(
  edge: ApiEdge,
  request: ParsedRequest,
): { request: ParsedRequest; ambient?: Record<string, string> } {
  const { bucket, path } = readS3Address(request.headers["host"] ?? "", request.path, edge.baseDomains);
  return { request: { ...request, path }, ambient: bucket === undefined ? undefined : { Bucket: bucket } };
}

function guess(edge: ApiEdge, { method, path, query, headers }: ParsedRequest): HostedService | undefined {
  return edge.registry.guess({ method, path, query, contentType: headers["content-type"] ?? "" });
}

function refused(service: HostedService | undefined, fault: ServiceFault, { requestId }: RequestScope): AnsweredCall {
  if (!service) return { response: { status: fault.status ?? 403, headers: {}, body: fault.message }, fault };
  return { response: service.protocol.writeFault(fault, requestId), fault, service: service.definition.signingName };
}

/** A body is either collected before the signature is checked, or streamed afterwards. */
class OnceRead {
  readonly #request: IncomingMessage;
  #collected: Buffer | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
  }

  async collect(maxBytes: number): Promise<Buffer> {
    const { headers } = this.#request;
    const isEmpty = headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
    this.#collected = isEmpty ? Buffer.alloc(0) : await readBody(detach(this.#request), maxBytes);
    return this.#collected;
  }

  readable({ headers }: ParsedRequest, { contentSha256, signing }: Authenticated): Readable {
    if (this.#collected) return new CollectedBody(this.#collected);
    return openPayload({ body: this.#request, headers, contentSha256, signing });
  }
}
