import type { GetRoleCommandInput, GetRoleCommandOutput } from "@aws-sdk/client-iam";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { readTags, requireRole, roleView, type IamDependencies } from "./role-view.ts";

export function getRole({
  store,
}: IamDependencies): Operation<GetRoleCommandInput, Omit<GetRoleCommandOutput, "$metadata">> {
  return async (input, context) => {
    const row = await requireRole(store.db, context, must(input.RoleName, "a role name"));
    const tags = readTags(row);
    return { Role: { ...roleView(row), ...(tags.length > 0 && { Tags: tags }), RoleLastUsed: {} } };
  };
}
