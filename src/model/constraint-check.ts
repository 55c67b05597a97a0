import type { IntegerShape, ListShape, MapShape, Shape, StringShape, StructureShape } from "./constraint-shape.ts";

/** Violations named in one answer; a hostile request can hold many more. */
const MAX_REPORTED = 10;

/** Every violation of `shape` by `value`, worded as the service words them (contract 1.2); empty when it fits. */
export function findViolations(shape: StructureShape, value: unknown): string[] {
  return checkStructure(shape, value, "");
}

/** `N validation errors detected: …; …` */
export function describeViolations(violations: readonly string[]): string {
  const noun = violations.length === 1 ? "validation error" : "validation errors";
  return `${violations.length} ${noun} detected: ${violations.slice(0, MAX_REPORTED).join("; ")}`;
}

const failed = (path: string, constraint: string) => `Value at '${path}' failed to satisfy constraint: ${constraint}`;
const isMissing = (value: unknown): value is undefined | null => value === undefined || value === null;

function check(shape: Shape, value: unknown, path: string): string[] {
  switch (shape.kind) {
    case "string":
      return stringRules(shape, value).map((rule) => failed(path, rule));
    case "integer":
      return integerRules(shape, value).map((rule) => failed(path, rule));
    case "boolean":
      return typeof value === "boolean" ? [] : [failed(path, "Member must be a boolean")];
    case "list":
      return checkList(shape, value, path);
    case "map":
      return checkMap(shape, value, path);
    case "structure":
      return checkStructure(shape, value, path);
  }
}

function stringRules(shape: StringShape, value: unknown): string[] {
  if (typeof value !== "string") return ["Member must be a string"];
  if (shape.oneOf)
    return shape.oneOf.includes(value) ? [] : [`Member must satisfy enum value set: [${shape.oneOf.join(", ")}]`];
  const broken = brokenLengths(shape, characters(value, shape.max), "length");
  // a pattern is only worth running on a value of acceptable size
  if (broken.length === 0 && shape.pattern && !shape.pattern.regexp.test(value)) {
    broken.push(`Member must satisfy regular expression pattern: ${shape.pattern.source}`);
  }
  return broken;
}

/** Characters as people count them, not UTF-16 units: an emoji is one. Counted only where that can make a difference. */
function characters(value: string, max: number | undefined): number {
  if (value.length === 0 || max === undefined || value.length <= max) return value.length;
  return value.length > 2 * max ? value.length : value.length - (value.match(SURROGATE_PAIR)?.length ?? 0);
}

const SURROGATE_PAIR = /[\uD800-\uDBFF][\uDC00-\uDFFF]/g;

function integerRules(shape: IntegerShape, value: unknown): string[] {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return ["Member must be an integer"];
  return brokenLengths(shape, value, "value");
}

function brokenLengths(limits: { min?: number; max?: number }, size: number, what: "length" | "value"): string[] {
  if (limits.min !== undefined && size < limits.min)
    return [`Member must have ${what} greater than or equal to ${limits.min}`];
  if (limits.max !== undefined && size > limits.max)
    return [`Member must have ${what} less than or equal to ${limits.max}`];
  return [];
}

function checkList(shape: ListShape, value: unknown, path: string): string[] {
  if (!Array.isArray(value)) return [failed(path, "Member must be a list")];
  const size = brokenLengths(shape, value.length, "length").map((rule) => failed(path, rule));
  if (size.length > 0) return size;
  return value.flatMap((item, index) => checkMember(shape.of, item, `${path}.${index + 1}.member`));
}

function checkMap(shape: MapShape, value: unknown, path: string): string[] {
  if (!isRecord(value)) return [failed(path, "Member must be a map")];
  const entries = Object.entries(value);
  const size = brokenLengths(shape, entries.length, "length").map((rule) => failed(path, rule));
  if (size.length > 0) return size;
  const keys = firstBroken(entries.map(([key]) => stringRules(shape.key, key)));
  const values = firstBroken(entries.map(([, item]) => stringRules(shape.value, item)));
  return [
    ...(keys ? [failed(path, `Map keys must satisfy constraint: [${keys.join(", ")}]`)] : []),
    ...(values ? [failed(path, `Map value must satisfy constraint: [${values.join(", ")}]`)] : []),
  ];
}

function firstBroken(results: readonly string[][]): string[] | undefined {
  return results.find((rules) => rules.length > 0);
}

function checkStructure(shape: StructureShape, value: unknown, path: string): string[] {
  if (!isRecord(value)) return [failed(path, "Member must be a structure")];
  const found: string[] = [];
  for (const [name, member] of Object.entries(shape.members)) {
    const at = path === "" ? name : `${path}.${name}`;
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (!isMissing(given)) found.push(...check(member, given, at));
    else if (shape.required.includes(name)) found.push(nullAt(at));
  }
  if (shape.isUnion && !hasOneMember(shape, value)) {
    found.push(failed(path, `Member must have exactly one of: [${Object.keys(shape.members).join(", ")}]`));
  }
  return found;
}

function hasOneMember(shape: StructureShape, value: Record<string, unknown>): boolean {
  return (
    Object.keys(shape.members).filter((name) => Object.hasOwn(value, name) && !isMissing(value[name])).length === 1
  );
}

function checkMember(shape: Shape, value: unknown, path: string): string[] {
  return isMissing(value) ? [nullAt(path)] : check(shape, value, path);
}

function nullAt(path: string): string {
  return `Value null at '${path}' failed to satisfy constraint: Member must not be null`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
