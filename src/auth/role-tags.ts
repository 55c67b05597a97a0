import type { RoleRow } from "../store/iam-store.ts";

/** A role's tags as condition keys below `family`: "aws:principaltag/" of who acts in it, "aws:resourcetag/" of the role itself. */
export function roleTags(role: RoleRow, family: "aws:principaltag/" | "aws:resourcetag/"): [string, string][] {
  const tags = JSON.parse(role.tags_json) as { Key?: string; Value?: string }[];
  return tags.map(({ Key = "", Value = "" }) => [`${family}${Key.toLowerCase()}`, Value]);
}
