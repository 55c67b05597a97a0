import { FromStringShapeDeserializer } from "@smithy/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";
import { MalformedInput } from "./malformed-input.ts";

const DATE_TIME = 5;
const MAX_PARAMETERS = 10_000;
const MAX_DEPTH = 32;
const strings = new FromStringShapeDeserializer({ timestampFormat: { useTrait: true, default: DATE_TIME } });

/** Parameters as a tree: "Tags.member.1.Key=a" is Tags → member → 1 → Key. */
interface Node {
  value?: string;
  readonly children: Map<string, Node>;
}

/** Reads the form parameters of awsQuery into an operation's input. */
export function readQueryInput(schema: NormalizedSchema, parameters: URLSearchParams): Record<string, unknown> {
  if (parameters.size > MAX_PARAMETERS) throw new MalformedInput(`More than ${MAX_PARAMETERS} parameters`);
  return schema.isStructSchema() ? (readStructure(schema, buildTree(parameters)) ?? {}) : {};
}

function buildTree(parameters: URLSearchParams): Node {
  const root: Node = { children: new Map() };
  for (const [name, value] of parameters) {
    const path = name.split(".");
    if (path.length > MAX_DEPTH) throw new MalformedInput("A parameter name is nested too deeply");
    let node = root;
    for (const part of path) {
      const next = node.children.get(part) ?? { children: new Map() };
      node.children.set(part, next);
      node = next;
    }
    node.value = value;
  }
  return root;
}

function readStructure(schema: NormalizedSchema, node: Node): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, member] of schema.structIterator()) {
    const child = node.children.get(member.getMergedTraits().xmlName ?? name);
    if (child) value[name] = readNode(member, child);
  }
  return value;
}

function readNode(schema: NormalizedSchema, node: Node): unknown {
  if (schema.isStructSchema()) return readStructure(schema, node);
  const isFlat = schema.getMergedTraits().xmlFlattened === 1;
  if (schema.isListSchema()) {
    const value = schema.getValueSchema();
    const items = isFlat ? node : node.children.get(value.getMergedTraits().xmlName ?? "member");
    return numbered(items).map((item) => readNode(value, item));
  }
  if (schema.isMapSchema()) return readMap(schema, numbered(isFlat ? node : node.children.get("entry")));
  return readScalar(schema, node);
}

/** Children named 1, 2, … in their order; gaps are closed, as a list has none. */
function numbered(node: Node | undefined): Node[] {
  const entries = [...(node?.children ?? [])];
  for (const [name] of entries)
    if (!/^[1-9]\d{0,8}$/.test(name))
      throw new MalformedInput(`${name.slice(0, 100)} is not the number of a list item`);
  return entries.toSorted(([a], [b]) => Number(a) - Number(b)).map(([, child]) => child);
}

function readMap(schema: NormalizedSchema, entries: readonly Node[]): Record<string, unknown> {
  const [keySchema, valueSchema] = [schema.getKeySchema(), schema.getValueSchema()];
  return Object.fromEntries(
    entries.map((entry) => {
      const key = entry.children.get(keySchema.getMergedTraits().xmlName ?? "key")?.value;
      const value = entry.children.get(valueSchema.getMergedTraits().xmlName ?? "value");
      if (key === undefined || !value) throw new MalformedInput("A map entry has no key or no value");
      return [key, readNode(valueSchema, value)];
    }),
  );
}

function readScalar(schema: NormalizedSchema, { value }: Node): unknown {
  const name = schema.getMemberName();
  if (value === undefined) throw new MalformedInput(`${name} has parameters below it but is a plain value`);
  if (schema.isNumericSchema() && !/^-?\d+(\.\d+)?$/.test(value)) throw new MalformedInput(`${name} is not a number`);
  if (schema.isBooleanSchema() && !/^(true|false)$/i.test(value))
    throw new MalformedInput(`${name} is neither true nor false`);
  try {
    return strings.read(schema, value);
  } catch (cause) {
    throw new MalformedInput(`${name} could not be parsed`, { cause });
  }
}
