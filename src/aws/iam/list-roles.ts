import type { ListRolesCommandInput, ListRolesCommandOutput } from "@aws-sdk/client-iam";
import { listRoles as listRoleRows } from "../../store/iam-store.ts";
import type { Operation } from "../service.ts";
import { markerPage } from "./marker-page.ts";
import { roleView, type IamDependencies } from "./role-view.ts";

export function listRoles({
  store,
}: IamDependencies): Operation<ListRolesCommandInput, Omit<ListRolesCommandOutput, "$metadata">> {
  return async (input, { accountId }) => {
    const pathPrefix = input.PathPrefix ?? "/";
    const { items, ...rest } = await markerPage(
      input,
      ["ListRoles", accountId, pathPrefix],
      (page) => listRoleRows(store.db, { accountId, pathPrefix }, page),
      (row) => row.name,
    );
    return { Roles: items.map(roleView), ...rest };
  };
}
