import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parsePolicy, PolicySyntaxError, type PolicyKind } from "./policy-document.ts";

const statement = { Effect: "Allow", Action: "s3:GetObject", Resource: "*" };
const trust = {
  Effect: "Allow",
  Principal: { Service: "lambda.amazonaws.com" },
  Action: ["sts:AssumeRole", "sts:TagSession"],
};

test.each<[PolicyKind, string, string]>([
  ["identity", "{", "This policy contains invalid Json"],
  ["identity", "null", "Syntax errors in policy."],
  ["identity", "{}", "Syntax errors in policy."],
  ["identity", JSON.stringify({ Version: "2020-01-01", Statement: statement }), "Syntax errors in policy."],
  ["identity", JSON.stringify({ Statement: [] }), "Syntax errors in policy."],
  ["identity", JSON.stringify({ Statement: { ...statement, Effect: "allow" } }), "Syntax errors in policy."],
  ["identity", JSON.stringify({ Statement: { ...statement, Actions: "x" } }), "Syntax errors in policy."],
  [
    "identity",
    JSON.stringify({ Statement: { Effect: "Allow", Resource: "*" } }),
    "Policy statement must contain actions.",
  ],
  [
    "identity",
    JSON.stringify({ Statement: { Effect: "Allow", Action: "s3:*" } }),
    "Policy statement must contain resources.",
  ],
  [
    "identity",
    JSON.stringify({ Statement: { ...statement, Action: "GetObject" } }),
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
  ],
  [
    "identity",
    JSON.stringify({ Statement: { ...statement, Resource: "bucket" } }),
    'Resource bucket must be in ARN format or "*".',
  ],
  [
    "identity",
    JSON.stringify({ Statement: { ...statement, Principal: "*" } }),
    "Policy document should not specify a principal.",
  ],
  [
    "identity",
    JSON.stringify({
      Statement: [
        { ...statement, Sid: "A" },
        { ...statement, Sid: "A" },
      ],
    }),
    "Statement IDs (SID) in a single policy must be unique.",
  ],
  ["trust", JSON.stringify({ Statement: { ...trust, Resource: "*" } }), "Has prohibited field Resource"],
  [
    "trust",
    JSON.stringify({ Statement: { Effect: "Allow", Action: "sts:AssumeRole" } }),
    "Missing required field Principal",
  ],
  ["trust", JSON.stringify({ Statement: { ...trust, Principal: { Nobody: "x" } } }), "Invalid principal in policy"],
])("a %s policy %s is refused: %s", (kind, text, message) => {
  expect(() => parsePolicy(text, kind)).toThrow(new PolicySyntaxError(message));
});

test("scalars and lists read the same", () => {
  const parsed = parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: trust }), "trust");
  expect(parsed.statements[0]?.principal).toEqual({
    principals: { Service: ["lambda.amazonaws.com"] },
    negated: false,
  });
  expect(parsed.statements[0]?.action.patterns).toEqual(["sts:AssumeRole", "sts:TagSession"]);
});

test("any JSON parses or is refused with a syntax error", () => {
  const value = fc.oneof(
    fc.json(),
    fc.jsonValue().map((Statement) => JSON.stringify({ Statement })),
  );
  fc.assert(
    fc.property(value, fc.constantFrom("trust" as const, "identity" as const), (text, kind) => {
      expect(outcome(text, kind)).toMatch(/^(parsed|refused)$/);
    }),
  );
});

function outcome(text: string, kind: PolicyKind): string {
  try {
    parsePolicy(text, kind);
    return "parsed";
  } catch (error) {
    return error instanceof PolicySyntaxError ? "refused" : String(error);
  }
}
