import type { ListRoleTagsCommandInput, ListRoleTagsCommandOutput } from "@aws-sdk/client-iam";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { markerPage } from "./marker-page.ts";
import { readTags, requireRole, type IamDependencies } from "./role-view.ts";

export function listRoleTags({
  store,
}: IamDependencies): Operation<ListRoleTagsCommandInput, Omit<ListRoleTagsCommandOutput, "$metadata">> {
  return async (input, context) => {
    const row = await requireRole(store.db, context, must(input.RoleName, "a role name"));
    const tags = readTags(row).toSorted((a, b) => ((a.Key ?? "") < (b.Key ?? "") ? -1 : 1));
    const { items, ...rest } = await markerPage(
      input,
      ["ListRoleTags", row.account_id, row.role_id],
      async ({ after, limit }) => tags.filter((tag) => after === undefined || (tag.Key ?? "") > after).slice(0, limit),
      (tag) => tag.Key ?? "",
    );
    return { Tags: items, ...rest };
  };
}
