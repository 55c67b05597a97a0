/** What a field counts besides its characters (RFC 7541, 4.1). */
const OVERHEAD_BYTES = 32;

/** A header field; where two requests repeat one, it is often the same object. */
export interface Field {
  readonly name: string;
  /** A character for each byte. */
  readonly value: string;
  /** In bytes, as tables and limits count. */
  readonly size: number;
}

export function createField(name: string, value: string): Field {
  return { name, value, size: name.length + value.length + OVERHEAD_BYTES };
}
