import { NormalizedSchema } from "@smithy/core/schema";
import type { $SchemaRef } from "@smithy/types";

/** First elements of static schemas as the SDK's clients export them. */
const OPERATION_SCHEMA = 9;
const ERROR_SCHEMA = -3;

export interface OperationModel {
  readonly name: string;
  readonly method: string;
  /** "/2025-09-09/microvms/{microvmIdentifier}", "/{Key+}" */
  readonly pathTemplate: string;
  /** Query members that the template fixes: `uploads`, `list-type=2`, `x-id=GetObject`. */
  readonly staticQuery: readonly (readonly [string, string])[];
  readonly status: number;
  readonly input: NormalizedSchema;
  readonly output: NormalizedSchema;
}

export interface ErrorModel {
  /** The shape's name: "NoSuchEntityException". */
  readonly shape: string;
  /** The name on the wire: "NoSuchEntity" where awsQuery gives it another one. */
  readonly code: string;
  readonly status: number;
  readonly isClientFault: boolean;
  readonly schema: NormalizedSchema;
}

export interface ServiceModel {
  readonly operations: ReadonlyMap<string, OperationModel>;
  readonly errors: ReadonlyMap<string, ErrorModel>;
}

type StaticOperation = [9, string, string, { http?: [string, string, number] } | 0, $SchemaRef, $SchemaRef];
type StaticError = [-3, string, string, { error?: string; httpError?: number; awsQueryError?: [string, number] } | 0];

/** Reads operations and errors from an SDK client's module; design idea 2: the published SDK is the contract. */
export function readServiceModel(schemas: Readonly<Record<string, unknown>>): ServiceModel {
  const operations = new Map<string, OperationModel>();
  const errors = new Map<string, ErrorModel>();
  for (const schema of Object.values(schemas)) {
    if (!Array.isArray(schema)) continue;
    if (schema[0] === OPERATION_SCHEMA) {
      const operation = readOperation(schema as StaticOperation);
      operations.set(operation.name, operation);
    } else if (schema[0] === ERROR_SCHEMA) {
      const error = readError(schema as StaticError);
      errors.set(error.shape, error);
    }
  }
  return { operations, errors };
}

function readOperation([, , name, traits, input, output]: StaticOperation): OperationModel {
  const [method, template, status] = (traits || {}).http ?? ["POST", "/", 200];
  const [pathTemplate = "/", search = ""] = template.split("?");
  return {
    name,
    method,
    pathTemplate,
    staticQuery: [...new URLSearchParams(search)],
    status,
    input: NormalizedSchema.of(input),
    output: NormalizedSchema.of(output),
  };
}

function readError(schema: StaticError): ErrorModel {
  const shape = schema[2];
  const traits = schema[3] || {};
  return {
    shape,
    code: traits.awsQueryError?.[0] ?? shape,
    status: traits.httpError ?? (traits.error === "server" ? 500 : 400),
    isClientFault: traits.error !== "server",
    schema: NormalizedSchema.of(schema as unknown as $SchemaRef),
  };
}

/** Names of the members a structure requires: static schemas list them first and give their number. */
export function requiredMembers(schema: NormalizedSchema): readonly string[] {
  if (!schema.isStructSchema()) return [];
  const [, , , , names, , count] = schema.getSchema() as unknown as [
    number,
    string,
    string,
    unknown,
    string[],
    unknown[],
    number?,
  ];
  return names.slice(0, count ?? 0);
}

type MemberChoice = (member: NormalizedSchema) => boolean;

/** Structures made from others, by the choice that made them: operations and errors ask for the same ones at every call. */
const chosen = new WeakMap<NormalizedSchema, WeakMap<MemberChoice, NormalizedSchema>>();

/** A structure with only some members of another; for bodies without the HTTP-bound members. */
export function structWith(schema: NormalizedSchema, isKept: MemberChoice): NormalizedSchema {
  const ofSchema = chosen.get(schema) ?? new WeakMap<MemberChoice, NormalizedSchema>();
  chosen.set(schema, ofSchema);
  const made = ofSchema.get(isKept) ?? chooseMembers(schema, isKept);
  ofSchema.set(isKept, made);
  return made;
}

/** The same structure under another name. */
export function renamed(schema: NormalizedSchema, name: string): NormalizedSchema {
  return chooseMembers(schema, () => true, name);
}

function chooseMembers(schema: NormalizedSchema, isKept: MemberChoice, name?: string): NormalizedSchema {
  const [kind, namespace, ownName, traits, names, members] = schema.getSchema() as unknown as [
    3,
    string,
    string,
    unknown,
    string[],
    unknown[],
  ];
  const kept = names.map((_, index) => index).filter((index) => isKept(schema.getMemberSchema(names[index] as string)));
  const picked = [
    kind,
    namespace,
    name ?? ownName,
    name === undefined ? traits : 0,
    kept.map((i) => names[i]),
    kept.map((i) => members[i]),
  ];
  return NormalizedSchema.of(picked as unknown as $SchemaRef);
}
