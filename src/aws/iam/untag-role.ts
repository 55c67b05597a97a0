import type { UntagRoleCommandInput } from "@aws-sdk/client-iam";
import { updateRole } from "../../store/iam-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { readTags, requireRole, type IamDependencies } from "./role-view.ts";

export function untagRole({ store }: IamDependencies): Operation<UntagRoleCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const row = await requireRole(db, context, must(input.RoleName, "a role name"));
      const gone = new Set((input.TagKeys ?? []).map((key) => key.toLowerCase()));
      const tags = readTags(row).filter((tag) => !gone.has(tag.Key?.toLowerCase() ?? ""));
      await updateRole(db, { accountId: row.account_id, name: row.name }, { tags_json: JSON.stringify(tags) });
      return {};
    });
}
