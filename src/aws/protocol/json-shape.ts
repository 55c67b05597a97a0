import type { NormalizedSchema } from "@smithy/core/schema";
import { MalformedInput } from "./malformed-input.ts";

/** Refuses JSON of the wrong type, which the SDK's deserializer would hand on as it is; unknown members are let through. */
export function checkJsonShape(schema: NormalizedSchema, value: unknown, path: string): void {
  if (schema.isDocumentSchema() || schema.isUnitSchema()) return;
  if (schema.isStructSchema()) return checkStructure(schema, expectObject(value, path), path);
  if (schema.isListSchema()) {
    if (!Array.isArray(value)) throw wrongType(path, "a list");
    for (const [index, item] of value.entries()) checkJsonShape(schema.getValueSchema(), item, `${path}[${index}]`);
    return;
  }
  if (schema.isMapSchema()) {
    for (const [key, item] of Object.entries(expectObject(value, path)))
      checkJsonShape(schema.getValueSchema(), item, `${path}.${key}`);
    return;
  }
  checkScalar(schema, value, path);
}

function checkStructure(schema: NormalizedSchema, value: Record<string, unknown>, path: string): void {
  let present = 0;
  for (const [name, member] of schema.structIterator()) {
    const wireName = member.getMergedTraits().jsonName ?? name;
    const memberValue = Object.hasOwn(value, wireName) ? value[wireName] : undefined;
    if (memberValue === undefined || memberValue === null) continue;
    present += 1;
    checkJsonShape(member, memberValue, path === "" ? wireName : `${path}.${wireName}`);
  }
  if (schema.isUnionSchema() && present !== 1)
    throw new MalformedInput(`${path} must have exactly one known member set`);
}

function checkScalar(schema: NormalizedSchema, value: unknown, path: string): void {
  const isText = schema.isStringSchema() || schema.isBlobSchema();
  if (isText && typeof value !== "string") throw wrongType(path, "a string");
  if (schema.isBlobSchema() && !/^[A-Za-z0-9+/]*={0,2}$/.test(value as string)) throw wrongType(path, "base64");
  if (schema.isBooleanSchema() && typeof value !== "boolean") throw wrongType(path, "true or false");
  if ((schema.isNumericSchema() || schema.isTimestampSchema()) && typeof value !== "number")
    throw wrongType(path, "a number");
}

function expectObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongType(path || "The body", "an object");
  return value as Record<string, unknown>;
}

function wrongType(path: string, expected: string): MalformedInput {
  return new MalformedInput(`${path} is not ${expected}`);
}
