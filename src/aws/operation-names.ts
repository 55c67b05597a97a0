/** First element of an operation schema as the SDK's clients export them. */
const OPERATION_SCHEMA = 9;

/** Names of all operations that an SDK client's module models, in its order. */
export function operationNames(schemas: Readonly<Record<string, unknown>>): string[] {
  return Object.values(schemas).flatMap((schema) =>
    Array.isArray(schema) && schema[0] === OPERATION_SCHEMA && typeof schema[2] === "string" ? [schema[2]] : [],
  );
}
