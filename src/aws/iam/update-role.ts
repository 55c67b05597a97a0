import type { UpdateRoleCommandInput } from "@aws-sdk/client-iam";
import { updateRole as updateRoleRow } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { requireRole, type IamDependencies } from "./role-view.ts";

export function updateRole({ store }: IamDependencies): Operation<UpdateRoleCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      await updateRoleRow(
        db,
        { accountId: row.account_id, name: row.name },
        {
          description: input.Description,
          max_session_seconds: input.MaxSessionDuration,
        },
      );
      return {};
    });
}
