import type { Readable } from "node:stream";
import { ServiceFault } from "../../errors/service-fault.ts";

/** Collects a whole body; above `maxBytes` it is refused with 413 before more is read. */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new ServiceFault(
        "RequestEntityTooLargeException",
        `The request body exceeds the maximum of ${maxBytes} bytes`,
        { status: 413 },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
