import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { CORE_CONSTRAINTS, type CoreOperationName } from "../../model/constraints-core.ts";
import { NO_QUOTAS } from "../../model/quotas.ts";
import { RateLimiter } from "../rate-limiter.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { invalidParameter, tooManyRequests } from "./connector-faults.ts";
import { createNetworkConnector } from "./create-network-connector.ts";
import { deleteNetworkConnector } from "./delete-network-connector.ts";
import type { Dependencies } from "./dependencies.ts";
import { getNetworkConnector } from "./get-network-connector.ts";
import { listNetworkConnectors } from "./list-network-connectors.ts";
import * as schemas from "./schemas.ts";
import { updateNetworkConnector } from "./update-network-connector.ts";

export type LambdaCoreOptions = Omit<Dependencies, "now" | "quotas"> & Partial<Pick<Dependencies, "now" | "quotas">>;

/** AWS Lambda Core: customer network connectors, on the same host and under the same signing name as lambda-microvms. */
export function createLambdaCoreService(options: LambdaCoreOptions): ServiceDefinition {
  const dependencies: Dependencies = { now: Date.now, ...options, quotas: options.quotas ?? NO_QUOTAS };
  const operations: Record<CoreOperationName, Operation> = {
    CreateNetworkConnector: createNetworkConnector(dependencies),
    GetNetworkConnector: getNetworkConnector(dependencies),
    ListNetworkConnectors: listNetworkConnectors(dependencies),
    UpdateNetworkConnector: updateNetworkConnector(dependencies),
    DeleteNetworkConnector: deleteNetworkConnector(dependencies),
  };
  const rates = new RateLimiter(dependencies.quotas, dependencies.now);
  const checked = Object.entries(operations).map(([name, operation]) => [
    name,
    withRate(rates, name, withShapeCheck(name as CoreOperationName, operation)),
  ]);
  return {
    signingName: "lambda",
    protocol: "restJson1",
    schemas,
    operations: Object.fromEntries(checked) as Record<CoreOperationName, Operation>,
  };
}

function withRate(rates: RateLimiter, name: string, operation: Operation): Operation {
  return async (input, context) => {
    const retryAfterSeconds = rates.take(context.accountId, name);
    if (retryAfterSeconds !== undefined) throw tooManyRequests(retryAfterSeconds);
    return operation(input, context);
  };
}

function withShapeCheck(name: CoreOperationName, operation: Operation): Operation {
  return async (input, context) => {
    const violations = findViolations(CORE_CONSTRAINTS[name], input);
    if (violations.length > 0) throw invalidParameter(describeViolations(violations));
    return operation(input, context);
  };
}
