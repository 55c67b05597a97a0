import { evaluateConditions } from "./policy-condition.ts";
import type { PolicyContext } from "./policy-context.ts";
import type {
  PolicyCondition,
  PolicyDocument,
  PolicyStatement,
  PrincipalSelection,
  Selection,
} from "./policy-document.ts";
import { compilePattern, matchesPattern } from "./policy-pattern.ts";
import { allTrue, anyTrue, not, type Truth } from "./truth.ts";

/*
 * IAM's decision for one request: an explicit Deny wins, an Allow is needed. What cannot be evaluated here (an unknown
 * condition key, operator or variable) counts against the caller: it voids an Allow and lets a Deny stand.
 */

export interface PolicyQuestion {
  readonly action: string;
  /** Absent when a trust policy is asked. */
  readonly resource?: string;
  /** Who asks, for trust policies. */
  readonly principal?: AskingPrincipal;
  readonly context: PolicyContext;
}

export interface AskingPrincipal {
  readonly type: "Service" | "AWS";
  /** All names under which a policy may speak of it: its ARN, its account, "*" for everybody. */
  readonly names: readonly string[];
}

export interface NamedPolicy {
  /** "inline policy BuildPolicy", "the trust policy" */
  readonly name: string;
  readonly document: PolicyDocument;
}

export interface PolicyAnswer {
  readonly effect: "allow" | "deny" | "none";
  /** The deciding statement, or the Allows that could not be evaluated; "" when nothing came near. */
  readonly because: string;
}

/** Asks all policies of one side (an identity's, or a trust policy) together. */
export function evaluatePolicies(policies: readonly NamedPolicy[], question: PolicyQuestion): PolicyAnswer {
  const matches = policies.flatMap((policy) =>
    policy.document.statements.map((statement, index) => ({
      truth: matchStatement(statement, policy.document, question),
      effect: statement.effect,
      label: `${statement.sid ? `statement "${statement.sid}"` : `statement ${index + 1}`} of ${policy.name}`,
    })),
  );
  const deny = matches.find(({ effect, truth }) => effect === "Deny" && truth !== false);
  if (deny) {
    const doubt = deny.truth === "unknown" ? " (it has a condition or variable that Catnap cannot evaluate)" : "";
    return { effect: "deny", because: deny.label + doubt };
  }
  const allow = matches.find(({ effect, truth }) => effect === "Allow" && truth === true);
  if (allow) return { effect: "allow", because: allow.label };
  const doubtful = matches.filter(({ truth }) => truth === "unknown").map(({ label }) => label);
  const because =
    doubtful.length === 0
      ? ""
      : `${doubtful.join(" and ")} would, but has a condition or variable that Catnap cannot evaluate`;
  return { effect: "none", because };
}

function matchStatement(statement: PolicyStatement, document: PolicyDocument, question: PolicyQuestion): Truth {
  // policy variables came with version 2012-10-17; before, `${` is plain text
  const expand = document.version === "2012-10-17";
  const truths: Truth[] = [
    matchSelection(statement.action, question.action, { question, expand: false, ignoreCase: true }),
    statement.resource && question.resource !== undefined
      ? matchSelection(statement.resource, question.resource, { question, expand, ignoreCase: false })
      : statement.resource === undefined,
    statement.principal ? matchPrincipal(statement.principal, question.principal) : question.principal === undefined,
    evaluateConditions(expand ? statement.conditions : statement.conditions.map(asPlainText), question.context),
  ];
  return allTrue(truths);
}

interface MatchOptions {
  readonly question: PolicyQuestion;
  readonly expand: boolean;
  readonly ignoreCase: boolean;
}

function matchSelection(selection: Selection, value: string, { question, expand, ignoreCase }: MatchOptions): Truth {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const truths = selection.patterns.map((source): Truth => {
    const pattern = compilePattern(fold(expand ? source : escapeVariables(source)), question.context);
    return pattern ? matchesPattern(pattern, fold(value)) : "unknown";
  });
  const some = anyTrue(truths);
  return selection.negated ? not(some) : some;
}

function asPlainText(condition: PolicyCondition): PolicyCondition {
  return { ...condition, values: condition.values.map(escapeVariables) };
}

function escapeVariables(text: string): string {
  return text.replaceAll("${", "${$}{");
}

function matchPrincipal(selection: PrincipalSelection, asking: PolicyQuestion["principal"]): boolean {
  if (!asking) return false;
  const listed = selection.principals === "*" ? ["*"] : (selection.principals[asking.type] ?? []);
  const isNamed = listed.some((name) => asking.names.includes(name));
  return selection.negated ? !isNamed : isNamed;
}
