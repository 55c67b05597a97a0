import { DynamicTable } from "./dynamic-table.ts";
import { createField, type Field } from "./field.ts";
import { decodeHuffman } from "./huffman.ts";
import { STATIC_TABLE } from "./static-table.ts";

/** What clients may have remembered, in bytes; the default of HTTP/2. */
const TABLE_BYTES = 4096;
/** No length or index comes near it. */
const MAX_INTEGER = 2 ** 28;

interface FieldLimits {
  /** As RFC 7541 (4.1) counts. */
  readonly maxBytes: number;
  readonly maxFields: number;
}

/** What a block holds; "too-large": it was read to its end, as what it asks to be remembered counts, but is not kept. */
export type DecodedFields = Field[] | "too-large" | "broken";

/** Decodes the blocks of fields of one connection, in their order (RFC 7541). */
export class FieldDecoder {
  readonly #limits: FieldLimits;
  readonly #table = new DynamicTable(TABLE_BYTES);
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  constructor(limits: FieldLimits) {
    this.#limits = limits;
  }

  /** After "broken" nothing further can be decoded. */
  decode(bytes: Buffer, start: number, end: number): DecodedFields {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    if (!this.#readTableSizes()) return "broken";
    const fields: Field[] = [];
    let size = 0;
    while (this.#at < end) {
      const field = this.#readField();
      if (field === undefined) return "broken";
      size += field.size;
      if (size <= this.#limits.maxBytes) fields.push(field);
    }
    return size > this.#limits.maxBytes || fields.length > this.#limits.maxFields ? "too-large" : fields;
  }

  /** Only before the first field (RFC 7541, 4.2). */
  #readTableSizes(): boolean {
    while (this.#at < this.#end && (this.#byte & 0xe0) === 0x20) {
      const size = this.#readInteger(5);
      if (size < 0 || size > TABLE_BYTES) return false;
      this.#table.resize(size);
    }
    return true;
  }

  #readField(): Field | undefined {
    const byte = this.#byte;
    if ((byte & 0x80) !== 0) return this.#lookUp(this.#readInteger(7));
    if ((byte & 0xe0) === 0x20) return undefined; // a table's size, too late
    const isRemembered = (byte & 0x40) !== 0;
    const index = this.#readInteger(isRemembered ? 6 : 4);
    const name = index === 0 ? this.#readText() : this.#lookUp(index)?.name;
    const value = this.#readText();
    if (name === undefined || value === undefined) return undefined;
    const field = createField(name, value);
    if (isRemembered) this.#table.add(field);
    return field;
  }

  #lookUp(index: number): Field | undefined {
    if (index <= 0) return undefined;
    return index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table.get(index - STATIC_TABLE.length - 1);
  }

  #readText(): string | undefined {
    if (this.#at >= this.#end) return undefined;
    const isCoded = (this.#byte & 0x80) !== 0;
    const length = this.#readInteger(7);
    const start = this.#at;
    const end = start + length;
    if (length < 0 || end > this.#end) return undefined;
    this.#at = end;
    return isCoded ? decodeHuffman(this.#bytes, start, end) : this.#bytes.toString("latin1", start, end);
  }

  /** A number whose first bits are the last ones of a byte (RFC 7541, 5.1); -1 when it is none. */
  #readInteger(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let value = this.#byte & most;
    this.#at++;
    if (value < most) return value;
    for (let factor = 1; this.#at < this.#end && factor <= MAX_INTEGER; factor *= 128) {
      const byte = this.#byte;
      this.#at++;
      value += (byte & 0x7f) * factor;
      if (value > MAX_INTEGER) return -1;
      if ((byte & 0x80) === 0) return value;
    }
    return -1;
  }

  get #byte(): number {
    return this.#bytes[this.#at] ?? 0;
  }
}
