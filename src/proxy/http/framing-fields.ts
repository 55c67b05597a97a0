/** Fields that decide how a message is read and how its connection goes on. */
export interface FramingFields {
  contentLength: readonly string[];
  transferEncoding: readonly string[];
  /** All of them, as one list. */
  connection: string;
}

/** The names have lengths that few others have, which spares most fields the comparison. */
export function noteFraming(name: string, value: string, found: FramingFields): void {
  switch (name.length) {
    case 10:
      if (name.toLowerCase() === "connection") found.connection += `${found.connection && ","}${value}`;
      break;
    case 14:
      if (name.toLowerCase() === "content-length") found.contentLength = [...found.contentLength, value];
      break;
    case 17:
      if (name.toLowerCase() === "transfer-encoding") found.transferEncoding = [...found.transferEncoding, value];
  }
}
