import type { Readable } from "node:stream";
import type { ServiceFault } from "../../errors/service-fault.ts";
import type { Labels } from "./route-table.ts";
import type { OperationModel } from "./service-model.ts";

/** An HTTP request as the protocols read it. */
export interface WireRequest {
  readonly method: string;
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  /** Decoded pairs in the order sent. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Lower-case names; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | Readable;
}

/** A request that names an operation; its input is read only when asked for. */
export interface Call {
  readonly operation: OperationModel;
  readInput(): Promise<Record<string, unknown>>;
}

/** The server side of one wire protocol, for one service. */
export interface Protocol {
  /** Largest body that is collected in memory; streamed payloads are not bound by it. */
  readonly maxBodyBytes: number;
  /** Undefined when the service has no such route. */
  accept(request: WireRequest, ambient?: Labels): Promise<Call | undefined>;
  writeOutput(operation: OperationModel, output: Record<string, unknown>, requestId: string): WireResponse;
  writeFault(fault: ServiceFault, requestId: string): WireResponse;
  /** The answer to a route or an operation that the service does not have. */
  unknownOperation(name: string | undefined): ServiceFault;
  /** What is left of an error nobody modelled: the cause is for the log only. */
  internalFault(cause: unknown): ServiceFault;
}
