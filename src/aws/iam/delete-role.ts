import type { DeleteRoleCommandInput } from "@aws-sdk/client-iam";
import { ServiceFault } from "../../errors/service-fault.ts";
import { deleteRoleRow, listRolePolicies } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function deleteRole({ store }: IamDependencies): Operation<DeleteRoleCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      const key = { accountId: row.account_id, name: row.name };
      if ((await listRolePolicies(db, key, { limit: 1 })).length > 0) {
        throw new ServiceFault("DeleteConflictException", "Cannot delete entity, must delete policies first.");
      }
      await deleteRoleRow(db, key);
      return {};
    });
}
