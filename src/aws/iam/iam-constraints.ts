import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { integer, list, structure, text, type StructureShape } from "../../model/constraint-shape.ts";
import { validationError } from "./iam-faults.ts";

/* Members of the IAM operations as the IAM API reference bounds them; wire spelling, as the SDK names them. */

const NAME_PATTERN = "[\\w+=,.@-]+";
const POLICY_TEXT = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+";
const PATH_PATTERN = "(/)|(/[\\u0021-\\u007E]+/)";
const TAG_PATTERN = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";

const role = { "RoleName!": text(1, 64, NAME_PATTERN) };
const policy = { ...role, "PolicyName!": text(1, 128, NAME_PATTERN) };
const page = { Marker: text(1), MaxItems: integer(1, 1000) };
const tagKey = text(1, 128, TAG_PATTERN);
const tags = list(structure({ "Key!": tagKey, "Value!": text(0, 256, TAG_PATTERN) }), 0, 50);
const description = text(0, 1000, "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*");
const sessionSeconds = integer(3600, 43200);

const IAM_CONSTRAINTS = {
  CreateRole: structure({
    Path: text(1, 512, PATH_PATTERN),
    ...role,
    "AssumeRolePolicyDocument!": text(1, 131072, POLICY_TEXT),
    Description: description,
    MaxSessionDuration: sessionSeconds,
    Tags: tags,
  }),
  GetRole: structure(role),
  ListRoles: structure({ ...page, PathPrefix: text(1, 512, "\\u002F[\\u0021-\\u007E]*") }),
  DeleteRole: structure(role),
  UpdateRole: structure({ ...role, Description: description, MaxSessionDuration: sessionSeconds }),
  UpdateAssumeRolePolicy: structure({ ...role, "PolicyDocument!": text(1, 131072, POLICY_TEXT) }),
  PutRolePolicy: structure({ ...policy, "PolicyDocument!": text(1, 131072, POLICY_TEXT) }),
  GetRolePolicy: structure(policy),
  ListRolePolicies: structure({ ...page, ...role }),
  DeleteRolePolicy: structure(policy),
  TagRole: structure({ ...role, "Tags!": tags }),
  UntagRole: structure({ ...role, "TagKeys!": list(tagKey, 0, 50) }),
  ListRoleTags: structure({ ...page, ...role }),
  ListAttachedRolePolicies: structure({ ...page, ...role }),
  ListInstanceProfilesForRole: structure({ ...page, ...role }),
} as const satisfies Record<string, StructureShape>;

export type IamOperationName = keyof typeof IAM_CONSTRAINTS;

/** Throws ValidationError for members out of shape. */
export function checkIamInput(operation: IamOperationName, input: unknown): void {
  const violations = findViolations(IAM_CONSTRAINTS[operation], input);
  if (violations.length > 0) throw validationError(describeViolations(violations.map(lowerFirst)));
}

/** IAM words members with a small first letter: `roleName`. */
function lowerFirst(violation: string): string {
  return violation.replace(/'([A-Z])/, (_match, first: string) => `'${first.toLowerCase()}`);
}
