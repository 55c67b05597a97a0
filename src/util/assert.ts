/** Marks a branch that the type checker proves impossible. */
export function unreachable(value: never): never {
  throw new TypeError(`Impossible value: ${JSON.stringify(value)}`);
}

/** Narrows away undefined where the caller knows better than the types. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new TypeError(`Expected ${what}`);
  return value;
}
