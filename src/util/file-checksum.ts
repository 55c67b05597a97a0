import { open } from "node:fs/promises";
import { crc32 } from "node:zlib";

const CHUNK_BYTES = 1024 * 1024;

/** CRC-32 of a file's bytes. */
export async function fileChecksum(path: string): Promise<number> {
  const file = await open(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let checksum = 0;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) return checksum;
      checksum = crc32(chunk.subarray(0, bytesRead), checksum);
    }
  } finally {
    await file.close();
  }
}
