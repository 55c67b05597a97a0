import { Readable } from "node:stream";
import { ServiceFault } from "../../errors/service-fault.ts";

/** A body that is in memory already. */
export class CollectedBody extends Readable {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    super({ read() {} });
    this.bytes = bytes;
    if (bytes.length > 0) this.push(bytes);
    this.push(null);
  }
}

/** Collects a whole body; above `maxBytes` it is refused with 413 before more is read. */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  if (body instanceof CollectedBody) {
    checkSize(body.bytes.length, maxBytes);
    return body.bytes;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    checkSize(size, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function checkSize(size: number, maxBytes: number): void {
  if (size <= maxBytes) return;
  const message = `The request body exceeds the maximum of ${maxBytes} bytes`;
  throw new ServiceFault("RequestEntityTooLargeException", message, { status: 413 });
}
