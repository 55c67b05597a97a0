import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { PolicyContext } from "./policy-context.ts";
import { parsePolicy } from "./policy-document.ts";
import { compilePattern, literalPattern, matchesPattern } from "./policy-pattern.ts";
import { evaluatePolicies, type PolicyAnswer } from "./policy.ts";

const CONTEXT: PolicyContext = new Map<string, string | string[]>([
  ["aws:sourceaccount", "123456789012"],
  ["aws:sourcearn", "arn:aws:lambda:us-east-1:123456789012:microvm-image:app"],
  ["aws:principalaccount", "123456789012"],
  ["aws:sourceip", "::ffff:10.1.2.3"],
  ["aws:currenttime", "2026-11-20T12:00:00Z"],
  ["aws:tagkeys", ["team", "env"]],
  ["aws:requesttag/team", "blue"],
]);

interface Ask {
  readonly action?: string;
  readonly resource?: string;
}

function ask(
  statements: unknown,
  { action = "s3:GetObject", resource = "arn:aws:s3:::bucket/app.zip" }: Ask = {},
  version = "2012-10-17",
): PolicyAnswer {
  const document = parsePolicy(JSON.stringify({ Version: version, Statement: statements }), "identity");
  return evaluatePolicies([{ name: 'inline policy "P"', document }], { action, resource, context: CONTEXT });
}

const allow = { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/*" };

test.each<[string, object, Ask, PolicyAnswer["effect"]]>([
  ["an exact action and a wildcard resource", allow, {}, "allow"],
  ["an action in another case", { ...allow, Action: "S3:getobject" }, {}, "allow"],
  ["an action with wildcards", { ...allow, Action: ["s3:Put*", "s3:Get?bject"] }, {}, "allow"],
  ["another action", { ...allow, Action: "s3:PutObject" }, {}, "none"],
  ["a resource in another case", { ...allow, Resource: "arn:aws:s3:::BUCKET/*" }, {}, "none"],
  ["a resource outside", allow, { resource: "arn:aws:s3:::bucket2/app.zip" }, "none"],
  ["NotAction that names another", { Effect: "Allow", NotAction: "s3:Put*", Resource: "*" }, {}, "allow"],
  ["NotAction that names it", { Effect: "Allow", NotAction: "s3:Get*", Resource: "*" }, {}, "none"],
  ["NotResource that names it", { Effect: "Allow", Action: "*", NotResource: "arn:aws:s3:::bucket/*" }, {}, "none"],
  [
    "a variable with a known value",
    { ...allow, Resource: "arn:aws:s3:::${aws:PrincipalAccount}/*" },
    { resource: "arn:aws:s3:::123456789012/a" },
    "allow",
  ],
  [
    "a variable without a known value",
    { ...allow, Resource: "arn:aws:s3:::${aws:username}/*" },
    { resource: "arn:aws:s3:::x/a" },
    "none",
  ],
  [
    "a variable with a default",
    { ...allow, Resource: "arn:aws:s3:::${aws:username, 'x'}/*" },
    { resource: "arn:aws:s3:::x/a" },
    "allow",
  ],
  ["an escaped star", { ...allow, Resource: "arn:aws:s3:::${*}/*" }, { resource: "arn:aws:s3:::x/a" }, "none"],
])("Allow with %s", (_title, statement, question, effect) => {
  expect(ask(statement, question).effect).toBe(effect);
});

test.each<[object, PolicyAnswer["effect"], PolicyAnswer["effect"]]>([
  [{ StringEquals: { "aws:SourceAccount": "123456789012" } }, "allow", "deny"],
  [{ StringEquals: { "AWS:sourceaccount": ["1", "123456789012"] } }, "allow", "deny"],
  [{ StringEquals: { "aws:SourceAccount": "1234567890*" } }, "none", "none"],
  [{ StringLike: { "aws:SourceAccount": "1234567890*" } }, "allow", "deny"],
  [{ StringNotEquals: { "aws:SourceAccount": "999999999999" } }, "allow", "deny"],
  [{ StringNotLike: { "aws:SourceAccount": "1*" } }, "none", "none"],
  [{ StringEquals: { "aws:SourceAccount": "${aws:PrincipalAccount}" } }, "allow", "deny"],
  [{ ArnLike: { "aws:SourceArn": "arn:aws:lambda:*:123456789012:microvm-image:*" } }, "allow", "deny"],
  [{ ArnLike: { "aws:SourceArn": "arn:aws:lambda:*:microvm-image:app" } }, "none", "none"],
  [{ ArnNotEquals: { "aws:SourceArn": "arn:aws:lambda:us-east-1:123456789012:microvm-image:other" } }, "allow", "deny"],
  [{ NumericLessThan: { "aws:SourceAccount": 123456789013 } }, "allow", "deny"],
  // not evaluable: never an Allow, always a Deny
  [{ StringEquals: { "aws:PrincipalOrgID": "o-1" } }, "none", "deny"],
  [{ StringEqualsIfExists: { "aws:PrincipalOrgID": "o-1" } }, "none", "deny"],
  [{ IpAddress: { "aws:SourceIp": "10.0.0.0/99" } }, "none", "deny"],
  [{ DateLessThan: { "aws:CurrentTime": "soon" } }, "none", "deny"],
  [{ StringEquals: { "aws:TagKeys": "team" } }, "none", "deny"],
  [{ Null: { "aws:PrincipalOrgID": "true" } }, "none", "deny"],
  [{ toString: { "aws:SourceAccount": "123456789012" } }, "none", "deny"],
  [{ IpAddress: { "aws:SourceIp": ["192.168.0.0/16", "10.1.0.0/16"] } }, "allow", "deny"],
  [{ NotIpAddress: { "aws:SourceIp": "10.1.2.3" } }, "none", "none"],
  [{ IpAddress: { "aws:SourceIp": "2001:db8::/32" } }, "none", "none"],
  [{ DateGreaterThan: { "aws:CurrentTime": "2026-11-20T11:59:59Z" } }, "allow", "deny"],
  [{ DateLessThan: { "aws:CurrentTime": 1 } }, "none", "none"],
  [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["team", "env", "cost"] } }, "allow", "deny"],
  [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } }, "none", "none"],
  [{ "ForAnyValue:StringLike": { "aws:TagKeys": ["te*"] } }, "allow", "deny"],
  [{ "ForAnyValue:StringEquals": { "aws:SourceAccount": "123456789012" } }, "allow", "deny"],
  [{ StringEquals: { "aws:RequestTag/team": "blue" } }, "allow", "deny"],
  // a key of ours that the request lacks is absent, not unknown
  [{ StringEquals: { "aws:ResourceTag/team": "blue" } }, "none", "none"],
  [{ StringNotEquals: { "aws:ResourceTag/team": "blue" } }, "allow", "deny"],
  [{ StringEqualsIfExists: { "aws:ResourceTag/team": "blue" } }, "allow", "deny"],
  [{ Null: { "aws:ResourceTag/team": "true" } }, "allow", "deny"],
  [{ Null: { "aws:RequestTag/team": "true" } }, "none", "none"],
  // a condition that is certainly false decides, whatever is unknown beside it
  [{ StringEquals: { "aws:PrincipalOrgID": "o-1", "aws:SourceAccount": "1" } }, "none", "none"],
])("the condition %j lets an Allow be %s and a Deny be %s", (condition, onAllow, onDeny) => {
  expect(ask({ ...allow, Condition: condition }).effect).toBe(onAllow);
  expect(ask({ ...allow, Effect: "Deny", Condition: condition }).effect).toBe(onDeny);
});

test("tags that may be there unseen are unknown, not absent", () => {
  const context = Object.assign(new Map(CONTEXT), { hasHiddenTags: true });
  const judge = (effect: string, operator: string) => {
    const statement = { ...allow, Effect: effect, Condition: { [operator]: { "aws:ResourceTag/team": "blue" } } };
    const document = parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: statement }), "identity");
    const question = { action: "s3:GetObject", resource: "arn:aws:s3:::bucket/app.zip", context };
    return evaluatePolicies([{ name: "P", document }], question).effect;
  };
  for (const operator of ["StringEquals", "StringNotEquals", "StringEqualsIfExists", "Null"]) {
    expect(judge("Allow", operator)).toBe("none");
    expect(judge("Deny", operator)).toBe("deny");
  }
});

test("a Deny wins over any Allow, wherever it stands", () => {
  const statements = [
    { ...allow, Sid: "Yes" },
    { Sid: "No", Effect: "Deny", Action: "s3:*", Resource: "*" },
  ];
  expect(ask(statements)).toEqual({ effect: "deny", because: 'statement "No" of inline policy "P"' });
  expect(ask(statements.toReversed()).effect).toBe("deny");
});

test("an answer names what decided", () => {
  expect(ask([{ ...allow, Action: "s3:PutObject" }, allow]).because).toBe('statement 2 of inline policy "P"');
  expect(ask({ ...allow, Condition: { Null: { "aws:PrincipalOrgID": "true" } } }).because).toContain("cannot evaluate");
});

test("variables are plain text before version 2012-10-17", () => {
  const statement = { ...allow, Resource: "arn:aws:s3:::${aws:PrincipalAccount}/*" };
  expect(ask(statement, { resource: "arn:aws:s3:::123456789012/a" }, "2008-10-17").effect).toBe("none");
  expect(ask(statement, { resource: "arn:aws:s3:::${aws:PrincipalAccount}/a" }, "2008-10-17").effect).toBe("allow");
  const condition = { StringEquals: { "aws:SourceAccount": "${aws:PrincipalAccount}" } };
  expect(ask({ ...allow, Condition: condition }, {}, "2008-10-17").effect).toBe("none");
});

test("a pattern matches as its regular expression would", () => {
  const source = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 12 });
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  fc.assert(
    fc.property(source, text, (pattern, value) => {
      const expected = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(value);
      expect(matchesPattern(compilePattern(pattern, new Map())!, value)).toBe(expected);
    }),
  );
});

test("the value of a variable is literal, and a literal matches itself alone", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (value, other) => {
      const pattern = compilePattern("x${aws:Key}", new Map([["aws:key", value]]))!;
      expect(matchesPattern(pattern, `x${value}`)).toBe(true);
      expect(matchesPattern(literalPattern(value), other)).toBe(value === other);
    }),
  );
});

test("a pattern built to backtrack is decided at once", { timeout: 5_000 }, () => {
  const pattern = compilePattern("a*".repeat(1_000) + "b", new Map())!;
  expect(matchesPattern(pattern, "a".repeat(5_000))).toBe(false);
});

test("adding a Deny never allows more, and adding an Allow never denies", () => {
  const effect = fc.constantFrom("Allow", "Deny");
  const pick = (...values: string[]) => fc.constantFrom(...values);
  const conditions = fc.constantFrom(
    {},
    { StringEquals: { "aws:SourceAccount": "123456789012" } },
    { Bool: { "aws:Unknown": "true" } },
  );
  const statement = fc.record({
    Effect: effect,
    Action: pick("s3:*", "s3:GetObject", "logs:*"),
    Resource: pick("*", "arn:aws:s3:::other/*"),
    Condition: conditions,
  });
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), statement, (statements, added) => {
      const [before, after] = [ask(statements).effect, ask([...statements, added]).effect];
      expect(added.Effect === "Deny" && before !== "allow" && after === "allow").toBe(false);
      expect(added.Effect === "Allow" && before !== "deny" && after === "deny").toBe(false);
    }),
  );
});
