import * as schemas from "@aws-sdk/client-sts";
import { ServiceFault } from "../../errors/service-fault.ts";
import { operationNames } from "../operation-names.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { getCallerIdentity } from "./get-caller-identity.ts";

/** STS as far as tools ask it who they are; temporary credentials are not handed out. */
export function createStsService(): ServiceDefinition {
  const refused = operationNames(schemas).map((name): [string, Operation] => [name, notSupported(name)]);
  return {
    signingName: "sts",
    protocol: "awsQuery",
    schemas,
    xmlNamespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    operations: { ...Object.fromEntries(refused), GetCallerIdentity: getCallerIdentity },
  };
}

function notSupported(name: string): Operation {
  return async () => {
    throw new ServiceFault(
      "AccessDenied",
      `${name} is not supported by Catnap: use the access key that catnap env prints.`,
      { status: 403 },
    );
  };
}
