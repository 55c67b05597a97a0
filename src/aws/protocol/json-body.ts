import { JsonShapeDeserializer, JsonShapeSerializer } from "@smithy/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";
import type { DocumentType } from "@smithy/types";
import { checkJsonShape } from "./json-shape.ts";
import { MalformedInput } from "./malformed-input.ts";

export type JsonSettings = ConstructorParameters<typeof JsonShapeSerializer>[0];

/** A body that is one JSON object, by its schema; throws MalformedInput for anything else. */
export function readJsonStructure(
  schema: NormalizedSchema,
  bytes: Buffer,
  settings: JsonSettings,
): Record<string, unknown> {
  const value = parseJson(bytes);
  checkJsonShape(schema, value, "");
  const read = new JsonShapeDeserializer(settings).readObject(schema, value as DocumentType);
  return keepMembers(schema, read as Record<string, unknown>);
}

/** With a `__type` in the JSON the SDK's reader passes unknown members on; no operation is to see them. */
function keepMembers(schema: NormalizedSchema, value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    [...schema.structIterator()].flatMap(([name]) => (Object.hasOwn(value, name) ? [[name, value[name]]] : [])),
  );
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MalformedInput("The request body is not valid JSON", { cause });
  }
}

export function writeJson(schema: NormalizedSchema, value: Record<string, unknown>, settings: JsonSettings): string {
  const serializer = new JsonShapeSerializer(settings);
  serializer.write(schema, value);
  return String(serializer.flush());
}
