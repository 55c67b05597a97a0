import { BlockList, isIP } from "node:net";
import type { PolicyContext } from "./policy-context.ts";
import { compilePattern, literalPattern, matchesPattern, type Pattern } from "./policy-pattern.ts";
import { allTrue, type Truth } from "./truth.ts";

/** Compares one value of a key with one value of the policy. */
export type Comparison = (actual: string, expected: string, context: PolicyContext) => Truth;

const OPERATORS: Readonly<Record<string, Comparison>> = {
  StringEquals: (actual, expected, context) => sameText(actual, expected, context, false),
  StringEqualsIgnoreCase: (actual, expected, context) =>
    sameText(actual.toLowerCase(), expected.toLowerCase(), lowerCaseValues(context), false),
  StringLike: (actual, expected, context) => sameText(actual, expected, context, true),
  ArnEquals: likeArn,
  ArnLike: likeArn,
  Bool: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  IpAddress: inSubnet,
  NumericEquals: ordered(Number, (a, b) => a === b),
  NumericLessThan: ordered(Number, (a, b) => a < b),
  NumericLessThanEquals: ordered(Number, (a, b) => a <= b),
  NumericGreaterThan: ordered(Number, (a, b) => a > b),
  NumericGreaterThanEquals: ordered(Number, (a, b) => a >= b),
  DateEquals: ordered(epochMs, (a, b) => a === b),
  DateLessThan: ordered(epochMs, (a, b) => a < b),
  DateLessThanEquals: ordered(epochMs, (a, b) => a <= b),
  DateGreaterThan: ordered(epochMs, (a, b) => a > b),
  DateGreaterThanEquals: ordered(epochMs, (a, b) => a >= b),
};

/** Operators that are true when no value compares equal. */
const NEGATIONS: Readonly<Record<string, string>> = {
  StringNotEquals: "StringEquals",
  StringNotEqualsIgnoreCase: "StringEqualsIgnoreCase",
  StringNotLike: "StringLike",
  ArnNotEquals: "ArnEquals",
  ArnNotLike: "ArnLike",
  NotIpAddress: "IpAddress",
  NumericNotEquals: "NumericEquals",
  DateNotEquals: "DateEquals",
};

export interface Operator {
  readonly compare: Comparison;
  readonly isNegated: boolean;
}

/** Undefined for an operator that is not known here. */
export function findOperator(name: string): Operator | undefined {
  const isNegated = Object.hasOwn(NEGATIONS, name);
  const positive = isNegated ? NEGATIONS[name] : name;
  const compare = positive !== undefined && Object.hasOwn(OPERATORS, positive) ? OPERATORS[positive] : undefined;
  return compare && { compare, isNegated };
}

function sameText(actual: string, expected: string, context: PolicyContext, hasWildcards: boolean): Truth {
  const pattern: Pattern | undefined =
    hasWildcards || expected.includes("${")
      ? compilePattern(hasWildcards ? expected : escapeWildcards(expected), context)
      : literalPattern(expected);
  return pattern ? matchesPattern(pattern, actual) : "unknown";
}

function lowerCaseValues(context: PolicyContext): PolicyContext {
  return new Map(
    Array.from(context, ([key, value]) => [key, typeof value === "string" ? value.toLowerCase() : value] as const),
  );
}

/** Turns `*` and `?` outside variables into the variables that stand for them. */
function escapeWildcards(text: string): string {
  return text.replace(/\$\{[^{}]*\}|[*?]/g, (match) => (match.length === 1 ? `\${${match}}` : match));
}

/** Each of the six parts for itself, so that a `*` does not reach over a colon (all but the last part). */
function likeArn(actual: string, expected: string, context: PolicyContext): Truth {
  const actualParts = arnParts(actual);
  const expectedParts = arnParts(expected);
  if (actualParts.length !== 6 || expectedParts.length !== 6) return false;
  return allTrue(expectedParts.map((part, index) => sameText(actualParts[index] ?? "", part, context, true)));
}

function arnParts(arn: string): string[] {
  // colons inside a policy variable are not separators
  const parts = arn.match(/(?:\$\{[^{}]*\}|[^:])*(?::|$)/g) ?? [];
  const all = parts.map((part) => part.replace(/:$/, ""));
  if (!arn.endsWith(":")) all.pop();
  return all.length <= 6 ? all : [...all.slice(0, 5), all.slice(5).join(":")];
}

/** `expected` is an address or a block in CIDR form; one that cannot be read is unknown, not false. */
function inSubnet(actual: string, expected: string): Truth {
  const [address = "", length] = expected.split("/");
  const version = isIP(address);
  if (version === 0) return "unknown";
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits || length === "") return "unknown";
  const plain = actual.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  if (isIP(plain) !== version) return false;
  const block = new BlockList();
  const family = version === 4 ? "ipv4" : "ipv6";
  block.addSubnet(address, prefix, family);
  return block.check(plain, family);
}

/** ISO 8601, or seconds since 1970 as policies may also spell a time. */
function epochMs(text: string): number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}

function ordered(read: (text: string) => number, compare: (actual: number, expected: number) => boolean): Comparison {
  return (actual, expected) => {
    const [left, right] = [read(actual), read(expected)];
    if (!Number.isFinite(right)) return "unknown"; // a Deny that is misspelt does not fall away
    return Number.isFinite(left) && compare(left, right);
  };
}
