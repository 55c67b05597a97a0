/** The vocabulary of the constraint tables: what a member may hold, as the service's model words it. */
export type Shape = StringShape | IntegerShape | BooleanShape | ListShape | MapShape | StructureShape;

export interface StringShape {
  readonly kind: "string";
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: { readonly source: string; readonly regexp: RegExp };
  readonly oneOf?: readonly string[];
}

export interface IntegerShape {
  readonly kind: "integer";
  readonly min?: number;
  readonly max?: number;
}

export interface BooleanShape {
  readonly kind: "boolean";
}

export interface ListShape {
  readonly kind: "list";
  readonly of: Shape;
  readonly min?: number;
  readonly max?: number;
}

export interface MapShape {
  readonly kind: "map";
  readonly key: StringShape;
  readonly value: StringShape;
  readonly min?: number;
  readonly max?: number;
}

export interface StructureShape {
  readonly kind: "structure";
  readonly members: Readonly<Record<string, Shape>>;
  readonly required: readonly string[];
  /** Exactly one member may be set. */
  readonly isUnion: boolean;
}

/** A string of `min` to `max` characters, matching `pattern` from end to end. */
export function text(min?: number, max?: number, pattern?: string): StringShape {
  if (pattern === undefined) return { kind: "string", min, max };
  const flags = pattern.includes("\\p{") ? "u" : "";
  return { kind: "string", min, max, pattern: { source: pattern, regexp: new RegExp(`^(?:${pattern})$`, flags) } };
}

export function oneOf(...values: readonly string[]): StringShape {
  return { kind: "string", oneOf: values };
}

export function integer(min?: number, max?: number): IntegerShape {
  return { kind: "integer", min, max };
}

export function boolean(): BooleanShape {
  return { kind: "boolean" };
}

export function list(of: Shape, min?: number, max?: number): ListShape {
  return { kind: "list", of, min, max };
}

export function map(key: StringShape, value: StringShape, limits: { min?: number; max?: number } = {}): MapShape {
  return { kind: "map", key, value, ...limits };
}

/** A structure; a name that ends in "!" is required. */
export function structure(members: Readonly<Record<string, Shape>>): StructureShape {
  const required = Object.keys(members).filter((name) => name.endsWith("!"));
  const plain = Object.entries(members).map(([name, shape]) => [name.replace(/!$/, ""), shape] as const);
  return {
    kind: "structure",
    members: Object.fromEntries(plain),
    required: required.map((name) => name.slice(0, -1)),
    isUnion: false,
  };
}

export function union(members: Readonly<Record<string, Shape>>): StructureShape {
  return { kind: "structure", members, required: [], isUnion: true };
}
