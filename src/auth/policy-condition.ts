import type { PolicyCondition } from "./policy-document.ts";
import { compilePattern, literalPattern, matchesPattern, type ContextKeys, type Pattern } from "./policy-pattern.ts";

/** Three-valued: "unknown" when an operator or a key's value is not known here; the caller then takes the safe side. */
export type Truth = boolean | "unknown";

type Comparison = (actual: string, expected: string, context: ContextKeys) => Truth;

const OPERATORS: Readonly<Record<string, Comparison>> = {
  StringEquals: (actual, expected, context) => sameText(actual, expected, context, false),
  StringEqualsIgnoreCase: (actual, expected, context) =>
    sameText(actual.toLowerCase(), expected.toLowerCase(), lowerCaseValues(context), false),
  StringLike: (actual, expected, context) => sameText(actual, expected, context, true),
  ArnEquals: likeArn,
  ArnLike: likeArn,
  Bool: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  NumericEquals: numeric((a, b) => a === b),
  NumericLessThan: numeric((a, b) => a < b),
  NumericLessThanEquals: numeric((a, b) => a <= b),
  NumericGreaterThan: numeric((a, b) => a > b),
  NumericGreaterThanEquals: numeric((a, b) => a >= b),
};

/** Operators that are true when no value compares equal. */
const NEGATIONS: Readonly<Record<string, string>> = {
  StringNotEquals: "StringEquals",
  StringNotEqualsIgnoreCase: "StringEqualsIgnoreCase",
  StringNotLike: "StringLike",
  ArnNotEquals: "ArnEquals",
  ArnNotLike: "ArnLike",
  NumericNotEquals: "NumericEquals",
};

/** Whether one condition holds: any of its values for a positive operator, none of them for a negated one. */
export function evaluateCondition(condition: PolicyCondition, context: ContextKeys): Truth {
  // a key that we do not have may well have a value at the service, so IfExists does not make it true
  const name = condition.operator.replace(/IfExists$/, "");
  const isNegated = Object.hasOwn(NEGATIONS, name);
  const comparison = lookup(OPERATORS, isNegated ? NEGATIONS[name] : name);
  const actual = context.get(condition.key.toLowerCase());
  if (!comparison || actual === undefined) return "unknown";
  const some = anyTrue(condition.values.map((expected) => comparison(actual, expected, context)));
  return isNegated ? not(some) : some;
}

/** All of them; one false decides, whatever is unknown beside it. */
export function evaluateConditions(conditions: readonly PolicyCondition[], context: ContextKeys): Truth {
  return not(anyTrue(conditions.map((condition) => not(evaluateCondition(condition, context)))));
}

export function anyTrue(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes("unknown") ? "unknown" : false;
}

export function not(truth: Truth): Truth {
  return truth === "unknown" ? "unknown" : !truth;
}

function lookup<T>(table: Readonly<Record<string, T>>, name: string | undefined): T | undefined {
  return name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}

function sameText(actual: string, expected: string, context: ContextKeys, hasWildcards: boolean): Truth {
  const pattern: Pattern | undefined =
    hasWildcards || expected.includes("${")
      ? compilePattern(hasWildcards ? expected : escapeWildcards(expected), context)
      : literalPattern(expected);
  return pattern ? matchesPattern(pattern, actual) : "unknown";
}

function lowerCaseValues(context: ContextKeys): ContextKeys {
  return new Map(Array.from(context, ([key, value]) => [key, value.toLowerCase()]));
}

/** Turns `*` and `?` outside variables into the variables that stand for them. */
function escapeWildcards(text: string): string {
  return text.replace(/\$\{[^{}]*\}|[*?]/g, (match) => (match.length === 1 ? `\${${match}}` : match));
}

/** Each of the six parts for itself, so that a `*` does not reach over a colon (all but the last part). */
function likeArn(actual: string, expected: string, context: ContextKeys): Truth {
  const actualParts = arnParts(actual);
  const expectedParts = arnParts(expected);
  if (actualParts.length !== 6 || expectedParts.length !== 6) return false;
  return not(anyTrue(expectedParts.map((part, index) => not(sameText(actualParts[index] ?? "", part, context, true)))));
}

function arnParts(arn: string): string[] {
  // colons inside a policy variable are not separators
  const parts = arn.match(/(?:\$\{[^{}]*\}|[^:])*(?::|$)/g) ?? [];
  const all = parts.map((part) => part.replace(/:$/, ""));
  if (!arn.endsWith(":")) all.pop();
  return all.length <= 6 ? all : [...all.slice(0, 5), all.slice(5).join(":")];
}

function numeric(compare: (actual: number, expected: number) => boolean): Comparison {
  return (actual, expected) => {
    const [left, right] = [Number(actual), Number(expected)];
    return Number.isFinite(left) && Number.isFinite(right) ? compare(left, right) : false;
  };
}
