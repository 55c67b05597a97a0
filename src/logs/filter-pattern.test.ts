import { expect, test } from "vitest";
import { parseFilterPattern } from "./filter-pattern.ts";

const ERROR = JSON.stringify({ level: "ERROR", status: 503, user: { ids: ["a-1", "b-2"] }, ok: false, none: null });

test.each([
  ["", "anything", true],
  ["ERROR", "an ERROR happened", true],
  ["ERROR", "an error happened", false],
  ["ERROR disk", "disk ERROR", true],
  ["ERROR disk", "ERROR", false],
  ['"disk full"', "the disk full", true],
  ['"a \\"b\\""', 'say a "b"', true],
  ["ERROR -disk", "ERROR of disk", false],
  ["?ERROR ?WARN", "WARN x", true],
  ["?ERROR ?WARN", "INFO x", false],
  ['{ $.level = "ERROR" }', ERROR, true],
  ["{ $.level = ERROR }", ERROR, true],
  ['{ $.level = "E*R" }', ERROR, true],
  ['{ $.level = "E*X" }', ERROR, false],
  ['{ $.level != "INFO" && $.status >= 500 }', ERROR, true],
  ["{ ($.status < 500 || $.ok IS FALSE) && $.none IS NULL }", ERROR, true],
  ['{ $.user.ids[1] = "b-*" }', ERROR, true],
  ["{ $.missing NOT EXISTS }", ERROR, true],
  ['{ $.missing != "x" }', ERROR, false],
  ['{ $.level = "ERROR" }', "not JSON", false],
])("the pattern %s says of %s: %s", (pattern, message, expected) => {
  expect(parseFilterPattern(pattern)(message)).toBe(expected);
});

test.each([
  ["[a, b]", /space-delimited/],
  ["%x%", /regular expressions/],
  ['"open', /cannot be read/],
  ["{ $.a = ", /ends in }/],
  ["{ $.a ~ 1 }", /cannot be read/],
  ["{ $.a = 1 $.b }", /not expected/],
  ["{ level = 1 }", /selector/],
  ["{ $.a < x }", /compares numbers/],
  ["{ ($.a = 1 }", /\) is missing/],
  ["{ $.a }", /too early/],
])("the pattern %s is refused: %s", (pattern, message) => {
  expect(() => parseFilterPattern(pattern)).toThrow(message);
});
