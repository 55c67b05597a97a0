import { ServiceFault } from "../errors/service-fault.ts";
import type { CallAuthorizer, CallDecision } from "./call-access.ts";
import { notAuthorized } from "./not-authorized.ts";
import type { Labels } from "./protocol/route-table.ts";
import type { Call, WireRequest, WireResponse } from "./protocol/wire.ts";
import type { OperationContext } from "./service.ts";
import type { HostedService } from "./service-registry.ts";

export interface DispatchRequest {
  /** Candidates of one signing name; never empty. */
  readonly services: readonly [HostedService, ...HostedService[]];
  readonly request: WireRequest;
  readonly ambient?: Labels;
  readonly context: OperationContext;
  readonly authorizer: CallAuthorizer;
}

/** What became of a call: its answer, and for the log the operation and the error nobody modelled. */
export interface DispatchResult {
  readonly response: WireResponse;
  readonly operation?: string;
  readonly input?: Readonly<Record<string, unknown>>;
  readonly output?: Readonly<Record<string, unknown>>;
  /** What the caller's policies said; absent for who is not bound by any. */
  readonly access?: CallDecision;
  readonly fault?: ServiceFault;
}

/** What is known of a call so far, for its record when it fails half-way. */
interface Trace {
  operation?: string;
  input?: Readonly<Record<string, unknown>>;
  output?: Readonly<Record<string, unknown>>;
  access?: CallDecision;
}

/** Finds the operation, reads its input, runs it and writes its output or its fault. Never throws. */
export async function dispatch(dispatching: DispatchRequest): Promise<DispatchResult> {
  const { services, request, ambient, context } = dispatching;
  let service = services[0];
  const trace: Trace = {};
  try {
    let call: Call | undefined;
    for (const candidate of services) {
      service = candidate;
      call = await candidate.protocol.accept(request, ambient);
      if (call) break;
    }
    if (!call) throw service.protocol.unknownOperation(undefined);
    trace.operation = call.operation.name;
    const response = await run(service, call, { ...dispatching, trace });
    return { response, ...trace };
  } catch (error) {
    const fault = error instanceof ServiceFault ? error : service.protocol.internalFault(error);
    return { response: service.protocol.writeFault(fault, context.requestId), ...trace, fault };
  }
}

async function run(
  { definition, protocol }: HostedService,
  { operation, readInput }: Call,
  { context, authorizer, trace }: DispatchRequest & { trace: Trace },
): Promise<WireResponse> {
  const { name } = operation;
  const handler = Object.hasOwn(definition.operations, name) ? definition.operations[name] : undefined;
  if (!handler) throw protocol.unknownOperation(name);
  const input = await readInput();
  trace.input = input;
  const { principal } = context;
  let scope = context;
  // who may do everything is not slowed down by the question
  if (!principal.isAdministrator) {
    const { signingName } = definition;
    trace.access = await authorizer.authorize({ signingName, operation: name, input, context });
    if (!trace.access.allowed) throw notAuthorized(definition.protocol, principal, trace.access);
    const refused = [...trace.access.refusedParts].map(
      ([part, denial]) => [part, notAuthorized(definition.protocol, principal, denial).message] as const,
    );
    if (refused.length > 0) scope = { ...context, refusedParts: new Map(refused) };
  }
  const output = ((await handler(input, scope)) ?? {}) as Record<string, unknown>;
  trace.output = output;
  return protocol.writeOutput(operation, output, context.requestId);
}
