import { ServiceFault } from "../../errors/service-fault.ts";

const BY_CALLER = { members: { Type: "User" } };

export function invalidParameter(message: string): ServiceFault {
  return new ServiceFault("InvalidParameterValueException", message, BY_CALLER);
}

export function connectorConflict(message: string): ServiceFault {
  return new ServiceFault("ResourceConflictException", message, BY_CALLER);
}

export function connectorNotFound(identifier: string): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", `Network connector not found: ${identifier}`, BY_CALLER);
}

export function connectorLimit(limit: number): ServiceFault {
  return new ServiceFault(
    "NetworkConnectorLimitExceededException",
    `The maximum of ${limit} network connectors has been reached for this account`,
    BY_CALLER,
  );
}

export function tooManyRequests(retryAfterSeconds: number): ServiceFault {
  return new ServiceFault("TooManyRequestsException", "Rate exceeded", {
    members: { Type: "User", Reason: "CallerRateLimitExceeded", retryAfterSeconds: String(retryAfterSeconds) },
  });
}
