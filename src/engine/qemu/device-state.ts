import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { AppError } from "../../errors/app-error.ts";

/** Behind the monitor's own bytes, which tell their end themselves: this, and the CRC-32 of all before it, little-endian. */
const SEAL = Buffer.from("CATNAPS1");
const SEAL_BYTES = SEAL.length + 4;

/** Device state with its checksum. */
export function sealDeviceState(state: Buffer): Buffer {
  const sealed = Buffer.concat([state, SEAL, Buffer.alloc(4)]);
  sealed.writeUInt32LE(crc32(sealed.subarray(0, -4)), sealed.length - 4);
  return sealed;
}

/** Throws ERR_ENGINE_SNAPSHOT for a file that is not as it was written: a monitor would load what it can of it. */
export async function checkDeviceState(file: string): Promise<void> {
  const sealed = await readFile(file).catch((cause: unknown) => {
    throw damaged("it cannot be read", cause);
  });
  if (sealed.length < SEAL_BYTES || !sealed.subarray(-SEAL_BYTES, -4).equals(SEAL)) throw damaged("its end is missing");
  if (crc32(sealed.subarray(0, -4)) !== sealed.readUInt32LE(sealed.length - 4))
    throw damaged("its checksum does not match");
}

function damaged(what: string, cause?: unknown): AppError {
  return new AppError("ERR_ENGINE_SNAPSHOT", { message: `The device state is damaged: ${what}`, cause });
}
