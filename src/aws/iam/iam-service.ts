import * as schemas from "@aws-sdk/client-iam";
import type { Store } from "../../store/store.ts";
import { operationNames } from "../operation-names.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { createRole } from "./create-role.ts";
import { deleteRolePolicy } from "./delete-role-policy.ts";
import { deleteRole } from "./delete-role.ts";
import { getRolePolicy } from "./get-role-policy.ts";
import { getRole } from "./get-role.ts";
import { checkIamInput, type IamOperationName } from "./iam-constraints.ts";
import { invalidInput } from "./iam-faults.ts";
import { listAttachedRolePolicies } from "./list-attached-role-policies.ts";
import { listInstanceProfilesForRole } from "./list-instance-profiles-for-role.ts";
import { listRolePolicies } from "./list-role-policies.ts";
import { listRoleTags } from "./list-role-tags.ts";
import { listRoles } from "./list-roles.ts";
import { putRolePolicy } from "./put-role-policy.ts";
import type { IamDependencies } from "./role-view.ts";
import { tagRole } from "./tag-role.ts";
import { untagRole } from "./untag-role.ts";
import { updateAssumeRolePolicy } from "./update-assume-role-policy.ts";
import { updateRole } from "./update-role.ts";

/** IAM as far as microVMs need it: roles with inline policies. Everything else says that it is not there. */
export function createIamService({ store, now = Date.now }: { store: Store; now?: () => number }): ServiceDefinition {
  const dependencies: IamDependencies = { store, now };
  const operations: Record<IamOperationName, Operation> = {
    CreateRole: createRole(dependencies),
    GetRole: getRole(dependencies),
    ListRoles: listRoles(dependencies),
    DeleteRole: deleteRole(dependencies),
    UpdateRole: updateRole(dependencies),
    UpdateAssumeRolePolicy: updateAssumeRolePolicy(dependencies),
    PutRolePolicy: putRolePolicy(dependencies),
    GetRolePolicy: getRolePolicy(dependencies),
    ListRolePolicies: listRolePolicies(dependencies),
    DeleteRolePolicy: deleteRolePolicy(dependencies),
    TagRole: tagRole(dependencies),
    UntagRole: untagRole(dependencies),
    ListRoleTags: listRoleTags(dependencies),
    ListAttachedRolePolicies: listAttachedRolePolicies(dependencies),
    ListInstanceProfilesForRole: listInstanceProfilesForRole(dependencies),
  };
  const checked = Object.entries(operations).map(([name, operation]): [string, Operation] => [
    name,
    async (input, context) => {
      checkIamInput(name as IamOperationName, input);
      return operation(input, context);
    },
  ]);
  const refused = operationNames(schemas).map((name): [string, Operation] => [name, notSupported(name)]);
  return {
    signingName: "iam",
    protocol: "awsQuery",
    schemas,
    xmlNamespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    operations: { ...Object.fromEntries(refused), ...Object.fromEntries(checked) },
  };
}

function notSupported(name: string): Operation {
  return async () => {
    throw invalidInput(
      `${name} is not supported by Catnap: it knows roles and their inline policies (CreateRole, PutRolePolicy, ...).`,
    );
  };
}
