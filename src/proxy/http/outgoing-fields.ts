import { fieldLines } from "./field-lines.ts";

/** Header fields of a message that goes on; written out once, however often the same ones are sent. */
export class OutgoingFields {
  /** Name, value, name, value …, checked on the way in. */
  readonly list: readonly string[];
  #lines: string | undefined;
  #hasDate: boolean | undefined;
  #hasLength: boolean | undefined;

  constructor(list: readonly string[]) {
    this.list = list;
  }

  get lines(): string {
    return (this.#lines ??= fieldLines(this.list));
  }

  get hasDate(): boolean {
    return (this.#hasDate ??= hasField(this.list, "date"));
  }

  get hasLength(): boolean {
    return (this.#hasLength ??= hasField(this.list, "content-length"));
  }
}

/** Whether one of the names is this one, in any case; `lower` is in lower case. */
function hasField(fields: readonly string[], lower: string): boolean {
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i]?.length === lower.length && fields[i]?.toLowerCase() === lower) return true;
  return false;
}
