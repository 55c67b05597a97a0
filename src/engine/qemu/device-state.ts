import { readFile, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { AppError } from "../../errors/app-error.ts";

/** Behind the monitor's own bytes, which tell their end themselves: this, and the CRC-32 of all before it, little-endian. */
const SEAL = Buffer.from("CATNAPS1");
const SEAL_BYTES = SEAL.length + 4;

/** It is some 20 KB; a monitor that a guest has taken over may write anything. */
const MAX_DEVICE_STATE_BYTES = 16 * 1024 * 1024;
/** What a monitor writes begins so. */
const MAGIC = Buffer.from("QEVM");
const CHUNK_BYTES = 64 * 1024;

/**
 * What a monitor has written to its scratch file behind `from`. Where a server was killed while it emptied the file, that is
 * shorter than the monitor's descriptor is far, and zeros come first.
 */
export async function readSavedState(scratch: FileHandle, from: number): Promise<Buffer> {
  const start = await firstByte(scratch, from);
  const { size: end } = await scratch.stat();
  if (end - start > MAX_DEVICE_STATE_BYTES)
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: `The device state is ${end - start} bytes long` });
  const state = Buffer.alloc(end - start);
  await scratch.read(state, 0, state.length, start);
  if (!state.subarray(0, MAGIC.length).equals(MAGIC))
    throw new AppError("ERR_ENGINE_SNAPSHOT", { message: "What the monitor saved is no device state" });
  return state;
}

/** Where the file's first byte that is not zero is, from `from` on; its end when there is none. */
async function firstByte(file: FileHandle, from: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let at = from; ;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    const found = chunk.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
    at += bytesRead;
    if (bytesRead === 0) return at;
  }
}

/** Device state with its checksum. */
export function sealDeviceState(state: Buffer): Buffer {
  const sealed = Buffer.concat([state, SEAL, Buffer.alloc(4)]);
  sealed.writeUInt32LE(crc32(sealed.subarray(0, -4)), sealed.length - 4);
  return sealed;
}

/** Throws ERR_ENGINE_SNAPSHOT for a file that is not as it was written: a monitor would load what it can of it. */
export async function checkDeviceState(file: string): Promise<void> {
  const sealed = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ENOENT" ? damaged("it is missing", cause) : cause;
  });
  if (sealed.length < SEAL_BYTES || !sealed.subarray(-SEAL_BYTES, -4).equals(SEAL)) throw damaged("its end is missing");
  if (crc32(sealed.subarray(0, -4)) !== sealed.readUInt32LE(sealed.length - 4))
    throw damaged("its checksum does not match");
}

function damaged(what: string, cause?: unknown): AppError {
  return new AppError("ERR_ENGINE_SNAPSHOT", { message: `The device state is damaged: ${what}`, cause });
}
