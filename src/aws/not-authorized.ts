import type { Principal } from "../auth/principal.ts";
import { ServiceFault } from "../errors/service-fault.ts";
import type { WireProtocol } from "./service.ts";

export interface Denial {
  readonly action: string;
  readonly resource: string;
  /** Completes the sentence; left out where the caller is to learn nothing. */
  readonly why?: string;
}

/** A call that no policy allows, in the words that all services share (contract 1.2). */
export function notAuthorized(protocol: WireProtocol, principal: Principal, denial: Denial): ServiceFault {
  const { action, resource, why } = denial;
  const isJson = protocol === "restJson1" || protocol === "awsJson1_1";
  return new ServiceFault(
    isJson ? "AccessDeniedException" : "AccessDenied",
    `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource}${why === undefined ? "" : ` ${why}`}`,
    { status: protocol === "awsJson1_1" ? 400 : 403 },
  );
}
