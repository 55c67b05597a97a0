import type { Principal } from "../auth/principal.ts";

export interface OperationContext {
  readonly requestId: string;
  readonly principal: Principal;
  readonly accountId: string;
  readonly region: string;
  /** Where the request came from, for policies and the audit trail. */
  readonly sourceAddress?: string;
  readonly userAgent?: string;
  /** Why parts of the call are not allowed, where each part has an outcome of its own. */
  readonly refusedParts?: ReadonlyMap<string, string>;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/**
 * One operation of a service: `input` is deserialized by the SDK's schema, with HTTP labels, query and headers in
 * their members; a streaming payload member is a Readable. Throws ServiceFault for every modelled error.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- each operation narrows to its SDK input and output types
export type Operation<I = any, O = any> = (input: I, context: OperationContext) => Promise<O>;

export type WireProtocol = "restJson1" | "restXml" | "awsQuery" | "awsJson1_1";

/** A service as the dispatcher sees it; found by the signing name of the request's credential scope. */
export interface ServiceDefinition {
  readonly signingName: string;
  readonly protocol: WireProtocol;
  /** The SDK client's module namespace, whose `Operation$` and `Exception$` exports are the wire contract. */
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly xmlNamespace?: string;
  /** awsJson1_1: what stands before the operation in X-Amz-Target, "Logs_20140328". */
  readonly targetPrefix?: string;
}
