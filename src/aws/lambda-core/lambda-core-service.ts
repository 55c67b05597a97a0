import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { CORE_CONSTRAINTS, type CoreOperationName } from "../../model/constraints-core.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { invalidParameter } from "./connector-faults.ts";
import { createNetworkConnector } from "./create-network-connector.ts";
import { deleteNetworkConnector } from "./delete-network-connector.ts";
import type { Dependencies } from "./dependencies.ts";
import { getNetworkConnector } from "./get-network-connector.ts";
import { listNetworkConnectors } from "./list-network-connectors.ts";
import * as schemas from "./schemas.ts";
import { updateNetworkConnector } from "./update-network-connector.ts";

export type LambdaCoreOptions = Omit<Dependencies, "now" | "connectorLimit"> &
  Partial<Pick<Dependencies, "now" | "connectorLimit">>;

/** AWS Lambda Core: customer network connectors, on the same host and under the same signing name as lambda-microvms. */
export function createLambdaCoreService(options: LambdaCoreOptions): ServiceDefinition {
  const dependencies: Dependencies = { connectorLimit: undefined, now: Date.now, ...options };
  const operations: Record<CoreOperationName, Operation> = {
    CreateNetworkConnector: createNetworkConnector(dependencies),
    GetNetworkConnector: getNetworkConnector(dependencies),
    ListNetworkConnectors: listNetworkConnectors(dependencies),
    UpdateNetworkConnector: updateNetworkConnector(dependencies),
    DeleteNetworkConnector: deleteNetworkConnector(dependencies),
  };
  const checked = Object.entries(operations).map(([name, operation]) => [
    name,
    withShapeCheck(name as CoreOperationName, operation),
  ]);
  return {
    signingName: "lambda",
    protocol: "restJson1",
    schemas,
    operations: Object.fromEntries(checked) as Record<CoreOperationName, Operation>,
  };
}

function withShapeCheck(name: CoreOperationName, operation: Operation): Operation {
  return async (input, context) => {
    const violations = findViolations(CORE_CONSTRAINTS[name], input);
    if (violations.length > 0) throw invalidParameter(describeViolations(violations));
    return operation(input, context);
  };
}
