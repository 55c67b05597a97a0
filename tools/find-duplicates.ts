/**
 * Finds code that stands twice: runs of equal lines in any two places of src, guest and tools. Blank lines, comments,
 * imports and lines without a word (braces) do not count; tests do not take part.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Equal significant lines in a row that count as a copy. */
const MIN_LINES = 10;

const PATTERNS = ["src/**/*.ts", "tools/**/*.ts", "guest/**/*.{c,h,sh}"];

interface Line {
  readonly file: string;
  readonly number: number;
  readonly text: string;
}

function isSignificant(text: string): boolean {
  return /\w/.test(text) && !/^(\/\/|\/\*|\*|#include|import |export \* |\} from )/.test(text);
}

function significantLines(root: string, file: string): Line[] {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  return lines
    .map((text, index) => ({ file, number: index + 1, text: text.trim() }))
    .filter((line) => isSignificant(line.text));
}

const windowAt = (lines: readonly Line[], at: number) =>
  lines
    .slice(at, at + MIN_LINES)
    .map((line) => line.text)
    .join("\n");

const place = (line: Line | undefined) => `${line?.file}:${line?.number}`;

/** Length of the equal run that starts at the two places, within their files. */
function runLength(lines: readonly Line[], a: number, b: number): number {
  let length = 0;
  while (isSameRun(lines, a, b, length)) length++;
  return length;
}

function isSameRun(lines: readonly Line[], a: number, b: number, offset: number): boolean {
  const [left, right] = [lines[a + offset], lines[b + offset]];
  return (
    left?.text === right?.text && left?.file === lines[a]?.file && right?.file === lines[b]?.file && left !== undefined
  );
}

function findCopies(lines: readonly Line[]): string[] {
  const firstSeen = new Map<string, number>();
  const copies: string[] = [];
  for (let at = 0; at + MIN_LINES <= lines.length; at++) {
    if (lines[at]?.file !== lines[at + MIN_LINES - 1]?.file) continue;
    const window = windowAt(lines, at);
    const first = firstSeen.get(window);
    if (first === undefined) {
      firstSeen.set(window, at);
      continue;
    }
    const length = runLength(lines, first, at);
    copies.push(`${place(lines[first])} and ${place(lines[at])}: ${length} equal lines`);
    at += length - 1;
  }
  return copies;
}

const root = join(import.meta.dirname, "..");
const files = globSync(PATTERNS, { cwd: root })
  .filter((file) => !file.includes(".test."))
  .toSorted();
const copies = findCopies(files.flatMap((file) => significantLines(root, file)));
for (const copy of copies) console.log(copy);
process.exitCode = copies.length > 0 ? 1 : 0;
