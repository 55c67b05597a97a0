import { InvalidPattern } from "./invalid-pattern.ts";
import { parseJsonPattern } from "./json-pattern.ts";

/** Whether an event's message is wanted. */
export type MessageFilter = (message: string) => boolean;

const TERM = /([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/gy;

/**
 * A filter pattern of CloudWatch Logs: terms that must all be in the message, "quoted ones", -excluded ones, ?either ?or,
 * or a { JSON } condition. Matches are case-sensitive. Throws InvalidPattern.
 */
export function parseFilterPattern(pattern: string): MessageFilter {
  const text = pattern.trim();
  if (text === "") return () => true;
  if (text.startsWith("{")) return parseJsonPattern(text);
  if (text.startsWith("[")) throw new InvalidPattern("patterns of space-delimited fields, [a, b], are not supported");
  if (text.startsWith("%")) throw new InvalidPattern("regular expressions, %…%, are not supported");
  return parseTerms(text);
}

function parseTerms(text: string): MessageFilter {
  const terms: Record<"" | "?" | "-", string[]> = { "": [], "?": [], "-": [] };
  TERM.lastIndex = 0;
  for (let at = 0; at < text.length;) {
    TERM.lastIndex = at;
    const match = TERM.exec(text);
    if (match === null) throw new InvalidPattern(`it cannot be read from character ${at + 1} on`);
    const [, sign = "", quoted, plain] = match;
    terms[sign as "" | "?" | "-"].push(quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "");
    at = TERM.lastIndex;
    while (/\s/.test(text.charAt(at))) at++;
  }
  const { "": all, "?": any, "-": none } = terms;
  return (message) =>
    all.every((term) => message.includes(term)) &&
    !none.some((term) => message.includes(term)) &&
    (all.length > 0 || any.length === 0 || any.some((term) => message.includes(term)));
}
