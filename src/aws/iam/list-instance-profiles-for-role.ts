import type {
  ListInstanceProfilesForRoleCommandInput,
  ListInstanceProfilesForRoleCommandOutput,
} from "@aws-sdk/client-iam";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

/** Always empty: there are no instance profiles here, but tools ask before they delete a role. */
export function listInstanceProfilesForRole({
  store,
}: IamDependencies): Operation<
  ListInstanceProfilesForRoleCommandInput,
  Omit<ListInstanceProfilesForRoleCommandOutput, "$metadata">
> {
  return async (input, context) => {
    await requireRole(store.db, context, must(input.RoleName, "a role name"));
    return { InstanceProfiles: [], IsTruncated: false };
  };
}
