import { fieldLines } from "./field-lines.ts";
import { encodeFields } from "../http2/hpack/field-encoder.ts";
import { fieldOf } from "./field-of.ts";

/** Header fields of a message that goes on; written out once, however often the same ones are sent. */
export class OutgoingFields {
  /** Name, value, name, value …, checked on the way in. */
  readonly list: readonly string[];
  #lines: string | undefined;
  #block: string | undefined;
  #hasDate: boolean | undefined;
  #hasLength: boolean | undefined;

  constructor(list: readonly string[]) {
    this.list = list;
  }

  get lines(): string {
    return (this.#lines ??= fieldLines(this.list));
  }

  /** As HTTP/2 has them. */
  get block(): string {
    return (this.#block ??= encodeFields(this.list));
  }

  get hasDate(): boolean {
    return (this.#hasDate ??= fieldOf(this.list, "date") !== undefined);
  }

  get hasLength(): boolean {
    return (this.#hasLength ??= fieldOf(this.list, "content-length") !== undefined);
  }
}
