import { ServiceFault } from "../errors/service-fault.ts";
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
}

/** What became of a call: its answer, and for the log the operation and the error nobody modelled. */
export interface DispatchResult {
  readonly response: WireResponse;
  readonly operation?: string;
  readonly fault?: ServiceFault;
}

/** Finds the operation, reads its input, runs it and writes its output or its fault. Never throws. */
export async function dispatch({ services, request, ambient, context }: DispatchRequest): Promise<DispatchResult> {
  let service = services[0];
  let call: Call | undefined;
  try {
    for (const candidate of services) {
      service = candidate;
      call = await candidate.protocol.accept(request, ambient);
      if (call) break;
    }
    if (!call) throw service.protocol.unknownOperation(undefined);
    const response = await run(service, call, context);
    return { response, operation: call.operation.name };
  } catch (error) {
    const fault = error instanceof ServiceFault ? error : service.protocol.internalFault(error);
    return { response: service.protocol.writeFault(fault, context.requestId), operation: call?.operation.name, fault };
  }
}

async function run(
  { definition, protocol }: HostedService,
  { operation, readInput }: Call,
  context: OperationContext,
): Promise<WireResponse> {
  const { name } = operation;
  const handler = Object.hasOwn(definition.operations, name) ? definition.operations[name] : undefined;
  if (!handler) throw protocol.unknownOperation(name);
  const input = await readInput();
  // The only key that exists may do everything; a policy check of further principals belongs here, before the handler.
  const output: unknown = await handler(input, context);
  return protocol.writeOutput(operation, (output ?? {}) as Record<string, unknown>, context.requestId);
}
