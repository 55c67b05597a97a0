import type { CreateRoleCommandInput, CreateRoleCommandOutput } from "@aws-sdk/client-iam";
import { ServiceFault } from "../../errors/service-fault.ts";
import { must } from "../../util/assert.ts";
import { roleArn } from "../../model/arn.ts";
import { newRoleId } from "../../model/ids.ts";
import { findRole, insertRole } from "../../store/iam-store.ts";
import type { Operation } from "../service.ts";
import { invalidInput } from "./iam-faults.ts";
import { checkTrustPolicyText } from "./policy-text.ts";
import { mergeTags, roleView, type IamDependencies } from "./role-view.ts";

const DEFAULT_SESSION_SECONDS = 3600;

export function createRole({
  store,
  now,
}: IamDependencies): Operation<CreateRoleCommandInput, Omit<CreateRoleCommandOutput, "$metadata">> {
  return async (input, { accountId }) => {
    const name = must(input.RoleName, "a role name");
    const document = must(input.AssumeRolePolicyDocument, "a trust policy");
    const path = input.Path ?? "/";
    checkTrustPolicyText(document);
    if (input.PermissionsBoundary !== undefined) {
      throw invalidInput("Permissions boundaries are not supported by Catnap; leave PermissionsBoundary out.");
    }
    const tags = mergeTags([], input.Tags ?? []);
    return store.db.transaction().execute(async (db) => {
      if (await findRole(db, { accountId, name })) {
        throw new ServiceFault("EntityAlreadyExistsException", `Role with name ${name} already exists.`);
      }
      const row = {
        account_id: accountId,
        name,
        role_id: newRoleId(),
        arn: roleArn({ accountId, path, name }),
        path,
        trust_policy: document,
        description: input.Description ?? null,
        max_session_seconds: input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS,
        tags_json: JSON.stringify(tags),
        created_at: now(),
      };
      await insertRole(db, row);
      return { Role: { ...roleView(row), ...(tags.length > 0 && { Tags: tags }) } };
    });
  };
}
