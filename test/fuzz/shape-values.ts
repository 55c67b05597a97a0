import type { NormalizedSchema } from "@smithy/core/schema";
import { hostileJson, hostileText } from "./hostile-values.ts";
import type { Random } from "../support/random.ts";

/** Values that a member of this name can well have, so that requests get past the first check. */
export type KnownValues = Readonly<Record<string, readonly unknown[]>>;

export interface ValueOptions {
  readonly random: Random;
  readonly known: KnownValues;
  /** How likely each member is to be something else than it should. */
  readonly harm: number;
  /** Goes into every sensitive member. */
  readonly secret: string;
}

const MAX_DEPTH = 8;
const FAR_FUTURE_SECONDS = 4_000_000_000;

/** A structure's members: those it requires, some of the others, some of them wrong. */
export function structureValue(
  schema: NormalizedSchema,
  required: readonly string[],
  options: ValueOptions,
): Record<string, unknown> {
  const { random, harm } = options;
  const fullness = random.next() ** 3;
  const members: Record<string, unknown> = {};
  for (const [name, member] of schema.isStructSchema() ? schema.structIterator() : []) {
    const isWanted = required.includes(name) ? !random.chance(harm / 2) : random.chance(fullness);
    if (isWanted) members[name] = memberValue(member, name, options, 0);
  }
  return members;
}

function memberValue(schema: NormalizedSchema, name: string, options: ValueOptions, depth: number): unknown {
  const { random, known, harm, secret } = options;
  const traits = schema.getMergedTraits();
  if (traits.sensitive && schema.isStringSchema()) return secret + (random.chance(harm) ? hostileText(random) : "");
  if (random.chance(harm)) return random.chance(0.6) ? hostileText(random) : hostileJson(random);
  if (Object.hasOwn(known, name)) return random.chance(0.6) ? known[name]?.[0] : random.pick(known[name] ?? []);
  if (depth > MAX_DEPTH) return undefined;
  if (schema.isUnitSchema()) return {};
  if (schema.isUnionSchema()) return unionValue(schema, options, depth);
  if (schema.isStructSchema()) {
    const entries = [...schema.structIterator()].filter(() => random.chance(0.8));
    return Object.fromEntries(entries.map(([key, member]) => [key, memberValue(member, key, options, depth + 1)]));
  }
  if (schema.isListSchema()) {
    const length = random.chance(0.8) ? random.integer(0, 2) : random.integer(0, 12);
    return Array.from({ length }, () => memberValue(schema.getValueSchema(), name, options, depth + 1));
  }
  if (schema.isMapSchema()) {
    const keys = Array.from({ length: random.integer(0, 3) }, (_, index) =>
      random.chance(harm) ? hostileText(random) : `key${index}`,
    );
    return Object.fromEntries(
      keys.map((key) => [key, memberValue(schema.getValueSchema(), `${name} value`, options, depth + 1)]),
    );
  }
  return scalarValue(schema, random);
}

function unionValue(schema: NormalizedSchema, options: ValueOptions, depth: number): unknown {
  const { random, harm } = options;
  const entries = [...schema.structIterator()];
  const chosen = random.chance(harm) ? entries : [random.pick(entries)];
  return Object.fromEntries(chosen.map(([key, member]) => [key, memberValue(member, key, options, depth + 1)]));
}

function scalarValue(schema: NormalizedSchema, random: Random): unknown {
  if (schema.isBooleanSchema()) return random.chance(0.5);
  if (schema.isNumericSchema()) return random.pick([0, 1, 2, 5, 50, 60, 300, 8080]);
  if (schema.isTimestampSchema()) return random.pick([0, 1, Math.floor(Date.now() / 1000), FAR_FUTURE_SECONDS]);
  if (schema.isBlobSchema()) return random.bytes(random.integer(0, 64)).toString("base64");
  return random.pick(["a", "value", "b-1", "x".repeat(random.integer(1, 64))]);
}
