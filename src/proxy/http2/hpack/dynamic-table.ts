import type { Field } from "./field.ts";

/** Entries that left are removed from the list when there are so many. */
const COMPACT_AT = 64;

/** The fields that one side has asked the other to remember, the newest first (RFC 7541, 2.3.2). */
export class DynamicTable {
  /** The oldest first; those before `#first` have left. */
  #fields: Field[] = [];
  #first = 0;
  #size = 0;
  #maxSize: number;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** `age`: 0 for the newest. */
  get(age: number): Field | undefined {
    const at = this.#fields.length - 1 - age;
    return at < this.#first ? undefined : this.#fields[at];
  }

  /** One that is larger than the table empties it (RFC 7541, 4.4). */
  add(field: Field): void {
    this.#size += field.size;
    this.#fields.push(field);
    this.#evict();
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#maxSize) this.#size -= this.#fields[this.#first++]?.size ?? 0;
    if (this.#first < COMPACT_AT || this.#first < this.#fields.length / 2) return;
    this.#fields = this.#fields.slice(this.#first);
    this.#first = 0;
  }
}
