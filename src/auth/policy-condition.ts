import { isAbsent, type PolicyContext } from "./policy-context.ts";
import type { PolicyCondition } from "./policy-document.ts";
import { findOperator } from "./policy-operators.ts";
import { allTrue, anyTrue, not, type Truth } from "./truth.ts";

/** All of them; one false decides, whatever is unknown beside it. */
export function evaluateConditions(conditions: readonly PolicyCondition[], context: PolicyContext): Truth {
  return allTrue(conditions.map((condition) => evaluateCondition(condition, context)));
}

interface OperatorName {
  readonly quantifier?: "ForAllValues" | "ForAnyValue";
  readonly name: string;
  readonly isOptional: boolean;
}

function readOperator(text: string): OperatorName {
  const [, quantifier, name = "", suffix] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/s.exec(text) ?? [];
  return { quantifier: quantifier as OperatorName["quantifier"], name, isOptional: suffix !== undefined };
}

/** Whether one condition holds: any of its values for a positive operator, none of them for a negated one. */
function evaluateCondition(condition: PolicyCondition, context: PolicyContext): Truth {
  const { quantifier, name, isOptional } = readOperator(condition.operator);
  const key = condition.key.toLowerCase();
  const actual = context.get(key);
  if (actual === undefined && !isAbsent(key, context)) return "unknown";
  if (name === "Null") {
    const isNull = actual === undefined || actual.length === 0;
    return condition.values.some((value) => (value.toLowerCase() === "true") === isNull);
  }
  const operator = findOperator(name);
  if (!operator) return "unknown";
  if (actual === undefined) {
    if (quantifier) return quantifier === "ForAllValues";
    return isOptional || operator.isNegated;
  }
  // without a quantifier the outcome of several values is not defined
  if (typeof actual !== "string" && !quantifier) return "unknown";
  const each = (typeof actual === "string" ? [actual] : actual).map((value) => {
    const some = anyTrue(condition.values.map((expected) => operator.compare(value, expected, context)));
    return operator.isNegated ? not(some) : some;
  });
  return quantifier === "ForAnyValue" ? anyTrue(each) : allTrue(each);
}
