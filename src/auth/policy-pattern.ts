import type { PolicyContext } from "./policy-context.ts";

/** One element of a compiled pattern: a literal character, any one character, or any run of characters. */
type Element = string | typeof ANY_ONE | typeof ANY_RUN;

const ANY_ONE = Symbol("?");
const ANY_RUN = Symbol("*");

export type Pattern = readonly Element[];

/** A `${…}` in a policy element; `$`, `*` and `?` inside one stand for themselves. */
const VARIABLE = /\$\{([^{}]*)\}/g;

/**
 * Compiles a policy string with its wildcards and policy variables. The value of a variable is literal: a `*` in it
 * matches only a `*`. Undefined when a variable has no known value.
 */
export function compilePattern(source: string, context: PolicyContext): Pattern | undefined {
  const elements: Element[] = [];
  let at = 0;
  for (const match of source.matchAll(VARIABLE)) {
    elements.push(...wildcards(source.slice(at, match.index)));
    const value = variableValue(match[1] ?? "", context);
    if (value === undefined) return undefined;
    elements.push(...value);
    at = match.index + match[0].length;
  }
  elements.push(...wildcards(source.slice(at)));
  return elements;
}

/** A pattern that matches exactly this text. */
export function literalPattern(text: string): Pattern {
  return [...text];
}

function wildcards(text: string): Element[] {
  return Array.from(text, (character) => (character === "*" ? ANY_RUN : character === "?" ? ANY_ONE : character));
}

function variableValue(expression: string, context: PolicyContext): string | undefined {
  if (expression === "*" || expression === "?" || expression === "$") return expression;
  const [key = "", fallback] = expression.split(",", 2).map((part) => part.trim());
  const known = context.get(key.toLowerCase());
  if (typeof known === "object") return undefined; // a variable cannot stand for several values
  return known ?? (fallback === undefined ? undefined : /^'(.*)'$/s.exec(fallback)?.[1]);
}

/** Whether the pattern covers all of `text`; time is at most the product of the two lengths, never exponential. */
export function matchesPattern(pattern: Pattern, text: string): boolean {
  const characters = [...text];
  let atPattern = 0;
  let atText = 0;
  let runAt = -1;
  let runCovers = 0;
  while (atText < characters.length) {
    const element = pattern[atPattern];
    if (element === ANY_RUN) {
      runAt = atPattern++;
      runCovers = atText;
    } else if (element === ANY_ONE || (element !== undefined && element === characters[atText])) {
      atPattern++;
      atText++;
    } else if (runAt >= 0) {
      // the last run takes one character more; earlier runs never need to
      atPattern = runAt + 1;
      atText = ++runCovers;
    } else return false;
  }
  while (pattern[atPattern] === ANY_RUN) atPattern++;
  return atPattern === pattern.length;
}
