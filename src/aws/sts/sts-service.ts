import * as schemas from "@aws-sdk/client-sts";
import { ServiceFault } from "../../errors/service-fault.ts";
import { operationNames } from "../operation-names.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { assumeRole, type AssumeRoleTools } from "./assume-role.ts";
import { getCallerIdentity } from "./get-caller-identity.ts";

export type StsOptions = Omit<AssumeRoleTools, "now"> & Partial<Pick<AssumeRoleTools, "now">>;

/** STS as far as roles need it: who am I, and the credentials of a role. */
export function createStsService(options: StsOptions): ServiceDefinition {
  const refused = operationNames(schemas).map((name): [string, Operation] => [name, notSupported(name)]);
  const tools: AssumeRoleTools = { now: () => new Date(), ...options };
  return {
    signingName: "sts",
    protocol: "awsQuery",
    schemas,
    xmlNamespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    operations: {
      ...Object.fromEntries(refused),
      GetCallerIdentity: getCallerIdentity,
      AssumeRole: assumeRole(tools),
    },
  };
}

function notSupported(name: string): Operation {
  return async () => {
    throw new ServiceFault(
      "AccessDenied",
      `${name} is not supported by Catnap: sign with the key that catnap env prints, or with credentials of AssumeRole.`,
      { status: 403 },
    );
  };
}
