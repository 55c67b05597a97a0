import type { TagRoleCommandInput } from "@aws-sdk/client-iam";
import { updateRole } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { mergeTags, readTags, requireRole, type IamDependencies } from "./role-view.ts";

export function tagRole({ store }: IamDependencies): Operation<TagRoleCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      const tags = mergeTags(readTags(row), input.Tags ?? []);
      await updateRole(db, { accountId: row.account_id, name: row.name }, { tags_json: JSON.stringify(tags) });
      return {};
    });
}
