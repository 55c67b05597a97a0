const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters other than tab; halves of line ends are among them. */
const NOT_IN_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Appends name and value of each field line (RFC 9112, 5) from `from` on, the last one without its end; false when one
 * breaks the rules. Whatever two parsers could read in two ways is refused: nothing is folded, guessed or trimmed off a name.
 */
export function readFieldLines(text: string, from: number, into: string[]): boolean {
  for (let start = from; start <= text.length;) {
    const found = text.indexOf("\r\n", start);
    const end = found < 0 ? text.length : found;
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon >= end) return false;
    const name = text.slice(start, colon);
    const value = trimmed(text, colon + 1, end);
    if (!isFieldName(name) || !isFieldValue(value)) return false;
    into.push(name, value);
    start = end + 2;
  }
  return true;
}

export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

export function isFieldValue(value: string): boolean {
  return !NOT_IN_A_VALUE.test(value);
}

/** Field lines as they go out; names and values were checked on the way in. */
export function fieldLines(fields: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
  lines.push("");
  return lines.join("\r\n"); // in one piece: a sum stays a tree of pieces, walked through whenever it is written
}

/** Whether a list of options, as in Connection, has this one. */
export function hasOption(list: string, option: string): boolean {
  if (list.length < option.length) return false;
  if (!list.includes(",")) return list.toLowerCase() === option;
  return list.split(",").some((item) => item.trim().toLowerCase() === option);
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
